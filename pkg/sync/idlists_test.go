package specsync

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// listServer serves a manifest and the files it names, with ranges.
type listServer struct {
	stub
	// content guards what follows.
	content  sync.Mutex
	manifest map[string]manifestEntry
	files    map[string]string
	// answers take the place of what the server would answer, by path.
	answers map[string]http.HandlerFunc
	// delay is how long a manifest takes.
	delay time.Duration
}

func newListServer() *listServer {
	s := &listServer{manifest: map[string]manifestEntry{}, files: map[string]string{}, answers: map[string]http.HandlerFunc{}}
	s.serve(func(w http.ResponseWriter, r *http.Request) {
		// A bubble's time stands still while a goroutine waits for a mutex, so nobody may sleep while it holds one.
		if r.URL.Path == "/get_id_lists" {
			time.Sleep(s.delay)
		}
		s.content.Lock()
		defer s.content.Unlock()
		if answer, ok := s.answers[r.URL.Path]; ok {
			answer(w, r)
			return
		}
		if r.URL.Path == "/get_id_lists" {
			_ = json.NewEncoder(w).Encode(s.manifest)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(s.files[r.URL.Path]))
	})
	return s
}

// answer has path answered by handler from now on.
func (s *listServer) answer(path string, handler http.HandlerFunc) {
	s.content.Lock()
	defer s.content.Unlock()
	s.answers[path] = handler
}

// put offers text as the file of list.
func (s *listServer) put(list, fileID string, created int64, text string) {
	s.content.Lock()
	defer s.content.Unlock()
	s.files["/"+list] = text
	s.manifest[list] = manifestEntry{URL: "http://lists.test/" + list, FileID: fileID, Size: int64(len(text)), CreationTime: created}
}

func (s *listServer) syncer(t *testing.T) *listSyncer {
	t.Helper()
	o, err := Options{
		Client: s.client(t, testKey), Sources: []Source{NewSource("x", "x", nil)},
		IDLists: IDListOptions{Enabled: true, URL: "http://lists.test/get_id_lists", MaxIDs: 100},
	}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	l, err := newListSyncer(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const (
	line123    = "+" + hash123 + "\n"
	lineAUser  = "+" + hashAUser + "\n"
	lineUserID = "+" + hashUserID + "\n"
	manifested = "POST /get_id_lists"
)

// content is every list with its members among the hashes that the tests use.
func content(l *IDLists) map[string]string {
	lists := map[string]string{}
	for _, name := range l.Names() {
		members := []string{}
		for _, hash := range []string{hash123, hashAUser, hashUserID} {
			if l.Contains(name, hash) {
				members = append(members, hash)
			}
		}
		lists[name] = strings.Join(members, " ")
	}
	return lists
}

// TestIDListsFollowTheirFiles starts with list a = {123} from file f1, created at 10, and list b = {a_user}, and then
// changes them.
func TestIDListsFollowTheirFiles(t *testing.T) {
	cases := map[string]struct {
		change       func(s *listServer)
		want         map[string]string
		wantChanged  []string
		wantRequests []string
		wantErr      error
	}{
		"nothing changes": {
			change: func(*listServer) {}, want: map[string]string{"a": hash123, "b": hashAUser}, wantRequests: []string{manifested},
		},
		"a file that grew is read on": {
			change:       func(s *listServer) { s.put("a", "f1", 10, line123+lineUserID+"-"+hash123+"\n") },
			want:         map[string]string{"a": hashUserID, "b": hashAUser},
			wantChanged:  []string{"a"},
			wantRequests: []string{manifested, "GET /a bytes=10-"},
		},
		"a file that grew by what is known changes nothing": {
			change:       func(s *listServer) { s.put("a", "f1", 10, line123+line123) },
			want:         map[string]string{"a": hash123, "b": hashAUser},
			wantRequests: []string{manifested, "GET /a bytes=10-"},
		},
		"another file replaces the list": {
			change:       func(s *listServer) { s.put("a", "f2", 11, lineAUser) },
			want:         map[string]string{"a": hashAUser, "b": hashAUser},
			wantChanged:  []string{"a"},
			wantRequests: []string{manifested, "GET /a bytes=0-"},
		},
		"another file of the same age replaces the list": {
			change:       func(s *listServer) { s.put("a", "f2", 10, lineAUser) },
			want:         map[string]string{"a": hashAUser, "b": hashAUser},
			wantChanged:  []string{"a"},
			wantRequests: []string{manifested, "GET /a bytes=0-"},
		},
		"another file with the same content changes nothing": {
			change:       func(s *listServer) { s.put("a", "f2", 11, line123) },
			want:         map[string]string{"a": hash123, "b": hashAUser},
			wantRequests: []string{manifested, "GET /a bytes=0-"},
		},
		"a newer file under the same name replaces the list": {
			change:       func(s *listServer) { s.put("a", "f1", 11, lineAUser+lineUserID) },
			want:         map[string]string{"a": hashAUser + " " + hashUserID, "b": hashAUser},
			wantChanged:  []string{"a"},
			wantRequests: []string{manifested, "GET /a bytes=0-"},
		},
		"an older file is passed over": {
			change:       func(s *listServer) { s.put("a", "f0", 9, lineAUser+lineUserID) },
			want:         map[string]string{"a": hash123, "b": hashAUser},
			wantRequests: []string{manifested},
		},
		"a file that shrank is left alone": {
			change:       func(s *listServer) { s.put("a", "f1", 10, "") },
			want:         map[string]string{"a": hash123, "b": hashAUser},
			wantRequests: []string{manifested},
		},
		"a new empty file empties the list without a request": {
			change:       func(s *listServer) { s.put("a", "f2", 11, "") },
			want:         map[string]string{"a": "", "b": hashAUser},
			wantChanged:  []string{"a"},
			wantRequests: []string{manifested},
		},
		"a list that is gone is dropped": {
			change:       func(s *listServer) { delete(s.manifest, "a") },
			want:         map[string]string{"b": hashAUser},
			wantChanged:  []string{"a"},
			wantRequests: []string{manifested},
		},
		"all lists can go": {
			change:       func(s *listServer) { clear(s.manifest) },
			want:         map[string]string{},
			wantChanged:  []string{"a", "b"},
			wantRequests: []string{manifested},
		},
		"a new list is read, after those before it in the alphabet": {
			change:       func(s *listServer) { s.put("c", "g", 1, lineUserID); s.put("a", "f1", 10, line123+lineUserID) },
			want:         map[string]string{"a": hash123 + " " + hashUserID, "b": hashAUser, "c": hashUserID},
			wantChanged:  []string{"a", "c"},
			wantRequests: []string{manifested, "GET /a bytes=10-", "GET /c bytes=0-"},
		},
		"a server that sends the whole file is understood": {
			change: func(s *listServer) {
				s.put("a", "f1", 10, line123+lineUserID)
				s.answers["/a"] = body(lineAUser + lineUserID)
			},
			want:         map[string]string{"a": hashAUser + " " + hashUserID, "b": hashAUser},
			wantChanged:  []string{"a"},
			wantRequests: []string{manifested, "GET /a bytes=10-"},
		},
		"a file shorter than what was read of it is read again": {
			change: func(s *listServer) {
				s.put("a", "f1", 10, line123+lineUserID)
				s.files["/a"] = "-" + hash123
			},
			want:         map[string]string{"a": "", "b": hashAUser},
			wantChanged:  []string{"a"},
			wantRequests: []string{manifested, "GET /a bytes=10-", "GET /a bytes=0-"},
		},
		"a file that lags behind the manifest is no error": {
			change: func(s *listServer) {
				s.put("a", "f1", 10, line123+lineUserID)
				s.files["/a"] = line123
			},
			want:         map[string]string{"a": hash123, "b": hashAUser},
			wantRequests: []string{manifested, "GET /a bytes=10-"},
		},
		"another range than asked for costs the list its news": {
			change: func(s *listServer) {
				s.put("a", "f1", 10, line123+lineUserID)
				s.put("b", "g1", 10, lineAUser+lineUserID)
				s.answers["/a"] = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Range", "bytes 5-9/20")
					w.WriteHeader(http.StatusPartialContent)
				}
			},
			want:         map[string]string{"a": hash123, "b": hashAUser + " " + hashUserID},
			wantChanged:  []string{"b"},
			wantRequests: []string{manifested, "GET /a bytes=10-", "GET /b bytes=10-"},
			wantErr:      ErrMalformed,
		},
		"an error page costs the list its news": {
			change: func(s *listServer) {
				s.put("a", "f2", 11, line123+lineUserID)
				s.put("b", "g1", 10, lineAUser+lineUserID)
				s.answers["/a"] = body("<html>\nnot found\n</html>\n")
			},
			want:         map[string]string{"a": hash123, "b": hashAUser + " " + hashUserID},
			wantChanged:  []string{"b"},
			wantRequests: []string{manifested, "GET /a bytes=0-", "GET /b bytes=10-"},
			wantErr:      ErrMalformed,
		},
		"a compressed file costs the list its news": {
			change: func(s *listServer) {
				s.put("a", "f2", 11, lineAUser)
				s.answers["/a"] = encoded("gzip", "")
			},
			want:         map[string]string{"a": hash123, "b": hashAUser},
			wantRequests: []string{manifested, "GET /a bytes=0-"},
			wantErr:      ErrMalformed,
		},
		"a list that exceeds the limit keeps its content": {
			change: func(s *listServer) {
				var lines strings.Builder
				for i := range 100 {
					fmt.Fprintf(&lines, "+AAAAAA%02d\n", i)
				}
				s.put("a", "f2", 11, lines.String())
			},
			want:         map[string]string{"a": hash123, "b": hashAUser},
			wantRequests: []string{manifested, "GET /a bytes=0-"},
			wantErr:      ErrTooLarge,
		},
		"an entry without a URL costs the list its news": {
			change: func(s *listServer) {
				s.manifest["a"] = manifestEntry{Size: 50, FileID: "f2"}
				s.put("b", "g1", 10, lineAUser+lineUserID)
			},
			want:         map[string]string{"a": hash123, "b": hashAUser + " " + hashUserID},
			wantChanged:  []string{"b"},
			wantRequests: []string{manifested, "GET /b bytes=10-"},
			wantErr:      ErrMalformed,
		},
		"a manifest that is none changes nothing": {
			change: func(s *listServer) { s.answers["/get_id_lists"] = body("<html>") },
			want:   map[string]string{"a": hash123, "b": hashAUser}, wantRequests: []string{manifested}, wantErr: ErrMalformed,
		},
		"an object that is no manifest changes nothing": {
			change: func(s *listServer) { s.answers["/get_id_lists"] = body(`{"success":false,"error":{"code":5}}`) },
			want:   map[string]string{"a": hash123, "b": hashAUser}, wantRequests: []string{manifested}, wantErr: ErrMalformed,
		},
		"null is no manifest": {
			change: func(s *listServer) { s.answers["/get_id_lists"] = body(`null`) },
			want:   map[string]string{"a": hash123, "b": hashAUser}, wantRequests: []string{manifested}, wantErr: ErrMalformed,
		},
		"a refused manifest changes nothing": {
			change: func(s *listServer) { s.answers["/get_id_lists"] = status(403) },
			want:   map[string]string{"a": hash123, "b": hashAUser}, wantRequests: []string{manifested}, wantErr: ErrUnauthorized,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newListServer()
				server.put("a", "f1", 10, line123)
				server.put("b", "g1", 10, lineAUser)
				l := server.syncer(t)
				first := l.sync(t.Context())
				want := []string{manifested, "GET /a bytes=0-", "GET /b bytes=0-"}
				if diff := cmp.Diff(want, server.take()); diff != "" || first.err != nil {
					t.Fatalf("first requests: %v (-want +got):\n%s", first.err, diff)
				}
				tc.change(server)
				time.Sleep(DefaultIDListInterval)
				got := l.sync(t.Context())
				wantError(t, got.err, tc.wantErr)
				if diff := cmp.Diff(tc.wantRequests, server.take()); diff != "" {
					t.Errorf("requests (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tc.want, content(got.lists)); diff != "" {
					t.Errorf("content (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tc.wantChanged, got.lists.Changed(first.lists)); diff != "" {
					t.Errorf("changed (-want +got):\n%s", diff)
				}
				if same := got.lists == first.lists; same != (tc.wantChanged == nil) {
					t.Errorf("the lists stayed the same value: %v", same)
				}
				if diff := cmp.Diff(map[string]string{"a": hash123, "b": hashAUser}, content(first.lists)); diff != "" {
					t.Errorf("the earlier lists were changed (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestNilIDListsAreEmpty(t *testing.T) {
	var l *IDLists
	if l.Contains("a", hash123) || l.Len("a") != 0 || l.Names() != nil || l.Pending() != nil || l.Changed(nil) != nil {
		t.Error("nil ID lists hold something")
	}
}

func TestUnknownListsAndOddHashesAreNotContained(t *testing.T) {
	l := &IDLists{sets: map[string]*idSet{"a": setOf(t, line123)}}
	for _, tc := range []struct{ list, hash string }{
		{"b", hash123}, {"a", hashAUser}, {"a", ""}, {"a", hash123[:7]}, {"a", hash123 + "="}, {"a", "pmWkWSB="},
	} {
		if l.Contains(tc.list, tc.hash) {
			t.Errorf("%q contains %q", tc.list, tc.hash)
		}
	}
	if !l.Contains("a", hash123) || l.Len("a") != 1 {
		t.Error("the list does not hold what it was given")
	}
}
