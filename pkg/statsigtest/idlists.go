package statsigtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// idList is one list: a file that grows by lines "+hash" and "-hash". Immutable once published; changes make a new
// one.
type idList struct {
	created int64 // identifies the file; a later number means that it was started anew
	text    string
}

// members replays the file.
func (l *idList) members() map[string]struct{} {
	m := map[string]struct{}{}
	for line := range strings.Lines(l.text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case len(line) < 2:
		case line[0] == '+':
			m[line[1:]] = struct{}{}
		case line[0] == '-':
			delete(m, line[1:])
		}
	}
	return m
}

// SetIDList makes the list hold exactly these unit IDs, given in clear. The difference to what it held is appended to
// its file, as Statsig does, so that clients fetch only that. A list that did not exist is created; without ids it
// becomes empty.
func (s *Server) SetIDList(name string, ids ...string) {
	want := map[string]struct{}{}
	for _, id := range ids {
		want[eval.IDListHash(id)] = struct{}{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.lists[name]
	if !ok {
		old = s.newList("")
	}
	have := old.members()
	var b strings.Builder
	b.WriteString(old.text)
	for _, hash := range slices.Sorted(maps.Keys(have)) {
		if _, keep := want[hash]; !keep {
			b.WriteString("-" + hash + "\n")
		}
	}
	for _, hash := range slices.Sorted(maps.Keys(want)) {
		if _, known := have[hash]; !known {
			b.WriteString("+" + hash + "\n")
		}
	}
	s.lists[name] = &idList{created: old.created, text: b.String()}
	s.announce()
}

// SetIDListFile starts a list's file anew, with another file ID and a later creation time, and with this text,
// whatever it holds.
func (s *Server) SetIDListFile(name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists[name] = s.newList(text)
	s.announce()
}

// RemoveIDList takes a list out of the manifest. It does nothing for a list that is not there.
func (s *Server) RemoveIDList(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lists, name)
	s.announce()
}

func (s *Server) newList(text string) *idList {
	s.lastList++
	return &idList{created: s.lastList, text: text}
}

// manifestEntry is what the manifest says of one list, in Statsig's spelling.
type manifestEntry struct {
	Name         string `json:"name"`
	URL          string `json:"url"`
	FileID       string `json:"fileID"`
	Size         int    `json:"size"`
	CreationTime int64  `json:"creationTime"`
}

func (s *Server) answerManifest(r *http.Request) answer {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, "the ID list manifest is read with GET or POST")
	}
	discardBody(r)
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	s.mu.Lock()
	manifest := make(map[string]manifestEntry, len(s.lists))
	for name, l := range s.lists {
		manifest[name] = manifestEntry{
			Name:         name,
			URL:          fmt.Sprintf("%s://%s%s%s/%d", scheme, r.Host, listFilePrefix, url.PathEscape(name), l.created),
			FileID:       fmt.Sprintf("%s-%d", name, l.created),
			Size:         len(l.text),
			CreationTime: l.created,
		}
	}
	s.mu.Unlock()
	body, err := json.Marshal(manifest)
	if err != nil {
		return refuse(http.StatusInternalServerError, err.Error())
	}
	return answer{status: http.StatusOK, body: body, outcome: fmt.Sprintf("manifest of %d ID lists", len(manifest))}
}

func (s *Server) answerListFile(r *http.Request, c call) answer {
	if r.Method != http.MethodGet {
		return refuse(http.StatusMethodNotAllowed, "ID list files are read with GET")
	}
	slash := strings.LastIndexByte(c.listFile, '/')
	if slash < 0 {
		return refuse(http.StatusNotFound, "there is no such ID list file")
	}
	s.mu.Lock()
	l, ok := s.lists[c.listFile[:slash]]
	s.mu.Unlock()
	if !ok || strconv.FormatInt(l.created, 10) != c.listFile[slash+1:] {
		return refuse(http.StatusNotFound, "there is no such ID list file")
	}
	wanted := strings.TrimPrefix(r.Header.Get("Range"), "bytes=")
	if q := r.URL.Query().Get("range"); q != "" {
		wanted = q
	}
	a := answer{status: http.StatusOK, contentType: "text/plain", body: []byte(l.text), outcome: "whole ID list file"}
	start, end, ok := parseRange(wanted, len(l.text))
	switch {
	case !ok:
	case start >= end:
		a.status, a.body = http.StatusRequestedRangeNotSatisfiable, nil
		a.rangeOf, a.outcome = fmt.Sprintf("bytes */%d", len(l.text)), "range beyond the end"
	default:
		a.status, a.body = http.StatusPartialContent, a.body[start:end]
		a.rangeOf = fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(l.text))
		a.outcome = "ID list file from byte " + strconv.Itoa(start)
	}
	return a
}

// parseRange reads "<start>-" and "<start>-<last>". ok is false for any other form, which HTTP allows a server to
// overlook.
func parseRange(text string, size int) (start, end int, ok bool) {
	first, last, found := strings.Cut(text, "-")
	start, err := strconv.Atoi(first)
	if !found || err != nil || start < 0 {
		return 0, 0, false
	}
	if last == "" {
		return start, size, true
	}
	end, err = strconv.Atoi(last)
	if err != nil || end < start {
		return 0, 0, false
	}
	return start, min(end+1, size), true
}
