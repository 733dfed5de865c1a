package specsync

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIDListRequests(t *testing.T) {
	cases := map[string]struct {
		address, file  string
		wantManifest   string
		wantFile       string
		wantRange      string
		wantKeyForFile bool
	}{
		"a custom address is asked as it is": {
			address: "https://lists.test/v1/lists", file: "https://lists.test/files/a?sig=x",
			wantManifest: "POST https://lists.test/v1/lists", wantFile: "GET https://lists.test/files/a?sig=x",
			wantRange: "bytes=0-", wantKeyForFile: true,
		},
		"another host does not get the key": {
			address: "https://lists.test/v1/lists", file: "https://files.test/a",
			wantManifest: "POST https://lists.test/v1/lists", wantFile: "GET https://files.test/a", wantRange: "bytes=0-",
		},
		"nor does the same host without encryption": {
			address: "https://lists.test/v1/lists", file: "http://lists.test/a",
			wantManifest: "POST https://lists.test/v1/lists", wantFile: "GET http://lists.test/a", wantRange: "bytes=0-",
		},
		"Statsig's CDN has the key in the path and the range in the query": {
			file:         "https://api.statsigcdn.com/v1/id_list/a?sig=x",
			wantManifest: "GET https://api.statsigcdn.com/v1/get_id_lists/secret-0123456789.json",
			wantFile:     "GET https://api.statsigcdn.com/v1/id_list/a?range=0-&sig=x", wantKeyForFile: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := &stub{handler: func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "lists") {
					fmt.Fprintf(w, `{"a":{"name":"a","url":%q,"fileID":"f","size":10,"creationTime":1}}`, tc.file)
					return
				}
				_, _ = w.Write([]byte(line123))
			}}
			o, err := Options{
				Client: server.client(t, "secret-0123456789"), Sources: []Source{NewSource("x", "x", nil)},
				IDLists: IDListOptions{Enabled: true, URL: tc.address},
			}.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			l, err := newListSyncer(o)
			if err != nil {
				t.Fatal(err)
			}
			if got := l.sync(t.Context()); got.err != nil || !got.lists.Contains("a", hash123) {
				t.Fatalf("got %v, %v", content(got.lists), got.err)
			}
			requests := server.seen()
			manifest, file := requests[0], requests[1]
			if got := manifest.method + " " + manifest.url; got != tc.wantManifest {
				t.Errorf("manifest: want %s, got %s", tc.wantManifest, got)
			}
			if got := file.method + " " + file.url; got != tc.wantFile {
				t.Errorf("file: want %s, got %s", tc.wantFile, got)
			}
			if got := file.header.Get("Range"); got != tc.wantRange {
				t.Errorf("range: want %q, got %q", tc.wantRange, got)
			}
			wantSize := ""
			if tc.wantRange != "" {
				wantSize = "10"
			}
			if got := file.header.Get("Statsig-Id-List-File-Size"); got != wantSize {
				t.Errorf("size: want %q, got %q", wantSize, got)
			}
			if got := file.header.Get("Statsig-Api-Key") != ""; got != tc.wantKeyForFile {
				t.Errorf("the key was sent for the file: %v", got)
			}
		})
	}
}

// TestACutLineIsReadAgain serves a file whose last line is not finished yet.
func TestACutLineIsReadAgain(t *testing.T) {
	server := newListServer()
	l := server.syncer(t)
	steps := []struct {
		file, want, wantRequest string
	}{
		{line123 + "+Q1W", hash123, "GET /a bytes=0-"},
		{line123 + lineAUser, hash123 + " " + hashAUser, "GET /a bytes=10-"},
		{line123 + lineAUser + "-" + hash123, hashAUser, "GET /a bytes=20-"},
		{line123 + lineAUser + "-" + hash123, hashAUser, ""}, // an unfinished line is no reason to ask again
		{line123 + lineAUser + "-" + hash123 + "\n", hashAUser, "GET /a bytes=20-"},
		{line123 + lineAUser + "-" + hash123 + "\n" + lineUserID, hashAUser + " " + hashUserID, "GET /a bytes=30-"},
	}
	for i, step := range steps {
		server.put("a", "f1", 10, step.file)
		got := l.sync(t.Context())
		if got.err != nil || content(got.lists)["a"] != step.want {
			t.Errorf("step %d: want %q, got %q (%v)", i, step.want, content(got.lists)["a"], got.err)
		}
		want := []string{manifested}
		if step.wantRequest != "" {
			want = append(want, step.wantRequest)
		}
		if diff := cmp.Diff(want, server.take()); diff != "" {
			t.Errorf("step %d: requests (-want +got):\n%s", i, diff)
		}
	}
}

func TestAFailingListIsPendingAndAskedLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newListServer()
		server.put("a", "f1", 10, line123)
		server.put("b", "g1", 10, lineAUser)
		server.answers["/b"] = status(500)
		l := server.syncer(t)
		asked := 0
		var got listUpdate
		for range 60 {
			got = l.sync(t.Context())
			for _, line := range server.take() {
				if line == "GET /b bytes=0-" {
					asked++
				}
			}
			if got.err == nil {
				t.Fatal("the failing list is not reported")
			}
			time.Sleep(DefaultIDListInterval)
		}
		if diff := cmp.Diff(map[string]string{"a": hash123}, content(got.lists)); diff != "" {
			t.Errorf("content (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"b"}, got.lists.Pending()); diff != "" {
			t.Errorf("pending (-want +got):\n%s", diff)
		}
		if asked < 10 || asked > 25 {
			t.Errorf("want the failing list asked for every few minutes, it was %d times in an hour", asked)
		}
		delete(server.answers, "/b")
		time.Sleep(maxBackoff)
		got = l.sync(t.Context())
		if got.err != nil || len(got.lists.Pending()) != 0 || content(got.lists)["b"] != hashAUser {
			t.Errorf("no recovery: %v, %v", content(got.lists), got.err)
		}
	})
}

// TestTheSyncerBringsIDLists runs both loops.
func TestTheSyncerBringsIDLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newListServer()
		server.put("a", "f1", 10, line123)
		var seen []string
		server.answer("/download_config_specs/"+testKey+".json", body(specs(100, "a", "first")))
		server.delay = time.Second
		o := server.options(t)
		o.IDLists = IDListOptions{Enabled: true, URL: "http://lists.test/get_id_lists"}
		s := newSyncer(t, o)
		s.Subscribe(func(was, is State) {
			seen = append(seen, fmt.Sprintf("%s %v changed %v, lists %s", gateOf(t, is), is.Attempted,
				is.IDLists.Changed(was.IDLists), outcomeOf(is.IDListsErr)))
		})
		run(t, s)
		if s.State().Attempted {
			t.Error("attempted before the ID lists were")
		}
		time.Sleep(5 * time.Minute)
		server.put("a", "f1", 10, line123+lineAUser)
		time.Sleep(5 * time.Minute)
		server.answer("/get_id_lists", status(500))
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		want := []string{
			"first false changed [], lists unchanged",
			"first true changed [a], lists unchanged",
			"first true changed [a], lists unchanged",
			"first true changed [], lists status",
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := s.State(); !got.IDLists.Contains("a", hashAUser) || got.Err != nil {
			t.Errorf("the last good lists are gone: %+v", got)
		}
	})
}

// FuzzParseManifest holds that what is accepted has no negative size and that no list of it is lost.
func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"a":{"name":"a","url":"https://lists.test/a","fileID":"f","size":10,"creationTime":1}}`))
	f.Add([]byte(`{"a":{"url":"x","size":-1},"b":{"url":"y","size":1e3},"c":7,"":{}}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		entries, err := parseManifest(body)
		if err != nil {
			if entries != nil {
				t.Error("an error, and entries with it")
			}
			return
		}
		var names map[string]any
		if err := json.Unmarshal(body, &names); err != nil || len(names) != len(entries) {
			t.Errorf("want %d lists, got %d (%v)", len(names), len(entries), err)
		}
		for name, e := range entries {
			if !e.unusable && (e.Size < 0 || e.URL == "") {
				t.Errorf("list %q: %+v", name, e)
			}
		}
	})
}
