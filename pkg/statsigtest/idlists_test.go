package statsigtest_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// Published hashes of three unit IDs.
const (
	hash123    = "pmWkWSBC"
	hashAUser  = "Q1Wha2PJ"
	hashUserID = "+J1raWBF"
)

type entry struct {
	Name, URL, FileID  string
	Size, CreationTime int
}

func manifest(t *testing.T, s *statsigtest.Server) map[string]entry {
	t.Helper()
	got := mustDo(t, "POST", s.IDListsURL(), map[string]string{"statsig-api-key": key}, "")
	var m map[string]entry
	if err := json.Unmarshal([]byte(got.body), &m); err != nil {
		t.Fatalf("reading the manifest %q: %v", got.body, err)
	}
	return m
}

func TestIDListGrowsByTheDifference(t *testing.T) {
	s := start(t, statsigtest.Options{IDLists: map[string][]string{"people": {"123"}}})
	first := manifest(t, s)["people"]
	got := mustDo(t, "GET", first.URL, map[string]string{"Range": "bytes=0-"}, "")
	if diff := cmp.Diff("+"+hash123+"\n", got.body); diff != "" || got.status != 206 {
		t.Errorf("first download, status %d (-want +got):\n%s", got.status, diff)
	}
	if first.Name != "people" || first.Size != len(got.body) {
		t.Errorf("manifest says %+v of a list of %d bytes", first, len(got.body))
	}

	s.SetIDList("people", "a_user", "user_id")
	second := manifest(t, s)["people"]
	if second.FileID != first.FileID || second.URL != first.URL || second.CreationTime != first.CreationTime {
		t.Errorf("the list changed its identity from %+v to %+v", first, second)
	}
	const added = "-" + hash123 + "\n+" + hashUserID + "\n+" + hashAUser + "\n"
	if second.Size != first.Size+len(added) {
		t.Errorf("size = %d, want %d", second.Size, first.Size+len(added))
	}
	for name, request := range map[string]struct{ query, header string }{
		"by header":                    {"", "bytes=10-"},
		"by query, as the CDN does it": {"?range=10-", ""},
	} {
		got := mustDo(t, "GET", second.URL+request.query, map[string]string{"Range": request.header}, "")
		if diff := cmp.Diff(added, got.body); diff != "" || got.status != 206 || got.header.Get("Content-Range") != "bytes 10-39/40" {
			t.Errorf("%s: status %d, %q (-want +got):\n%s", name, got.status, got.header.Get("Content-Range"), diff)
		}
	}

	s.SetIDList("people", "user_id", "a_user")
	if third := manifest(t, s)["people"]; third != second {
		t.Errorf("setting the same members changed the list from %+v to %+v", second, third)
	}
}

func TestIDListRanges(t *testing.T) {
	s := start(t, statsigtest.Options{})
	s.SetIDListFile("l", "0123456789")
	url := manifest(t, s)["l"].URL
	tests := map[string]struct {
		rangeHeader string
		wantStatus  int
		want        string
	}{
		"no range is the whole file":               {"", 200, "0123456789"},
		"from a byte on":                           {"bytes=4-", 206, "456789"},
		"from a byte to a byte":                    {"bytes=4-5", 206, "45"},
		"to beyond the end":                        {"bytes=8-99", 206, "89"},
		"from the end":                             {"bytes=10-", 416, ""},
		"from beyond the end":                      {"bytes=11-", 416, ""},
		"the last bytes, a form nobody uses":       {"bytes=-3", 200, "0123456789"},
		"several ranges, which nobody uses either": {"bytes=0-1,3-4", 200, "0123456789"},
		"backwards":                                {"bytes=5-4", 200, "0123456789"},
		"nonsense":                                 {"bytes=a-b", 200, "0123456789"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := mustDo(t, "GET", url, map[string]string{"Range": tc.rangeHeader}, "")
			if got.status != tc.wantStatus || got.body != tc.want {
				t.Errorf("got %d %q, want %d %q", got.status, got.body, tc.wantStatus, tc.want)
			}
		})
	}
	if got := mustDo(t, "POST", url, nil, ""); got.status != 405 {
		t.Errorf("posting to a list file gives %d, want 405", got.status)
	}
}

func TestIDListFileStartedAnewGetsAnotherIdentity(t *testing.T) {
	s := start(t, statsigtest.Options{})
	s.SetIDList("a/b ü", "123")
	old := manifest(t, s)["a/b ü"]
	s.SetIDListFile("a/b ü", "+"+hashAUser+"\n-\n?\n")
	renewed := manifest(t, s)["a/b ü"]
	if renewed.FileID == old.FileID || renewed.URL == old.URL || renewed.CreationTime <= old.CreationTime {
		t.Errorf("identity went from %+v to %+v", old, renewed)
	}
	if got := mustDo(t, "GET", old.URL, nil, ""); got.status != 404 {
		t.Errorf("the old file gives %d, want 404", got.status)
	}
	s.SetIDList("a/b ü", "a_user")
	if got := mustDo(t, "GET", renewed.URL, nil, ""); got.body != "+"+hashAUser+"\n-\n?\n" {
		t.Errorf("members already in a raw file were added again: %q", got.body)
	}
	s.RemoveIDList("a/b ü")
	if _, there := manifest(t, s)["a/b ü"]; there {
		t.Error("a removed list is still in the manifest")
	}
}
