package ofrep

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// flagsPath is where both kinds of evaluation begin.
const flagsPath = "/ofrep/v1/evaluate/flags"

// maxKept is the largest buffer that is kept for the next request.
const maxKept = 1 << 20

// scratch is what a request needs for its time only.
type scratch struct {
	body, out []byte
	recorder  eval.Recorder
}

// ServeHTTP answers POST requests for paths that end in /ofrep/v1/evaluate/flags, and in /ofrep/v1/evaluate/flags/KEY.
// Whatever stands before is left to the server, so the handler needs no [http.StripPrefix].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, single, ok := route(r.URL.Path)
	switch {
	case !ok:
		fail(w, nil, failure{http.StatusNotFound, "", "OFREP has " + flagsPath + " and " + flagsPath + "/{key}"})
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		fail(w, nil, failure{http.StatusMethodNotAllowed, "", "OFREP is asked by POST"})
		return
	}
	s := h.scratch.Get().(*scratch)
	defer h.keep(s)
	project := h.options.Project(r)
	if single {
		h.serveFlag(w, r, s, project, key)
		return
	}
	h.serveFlags(w, r, s, project)
}

// route finds the key in a path. The key is all that follows, slashes included: not every client escapes them.
func route(path string) (key string, single, ok bool) {
	_, rest, ok := strings.Cut(path, flagsPath)
	if !ok || rest == "" {
		return "", false, ok
	}
	key, single = strings.CutPrefix(rest, "/")
	return key, single, single
}

// keep returns scratch for reuse.
func (h *Handler) keep(s *scratch) {
	if cap(s.body) <= maxKept && cap(s.out) <= maxKept {
		h.scratch.Put(s)
	}
}

// serveFlag answers for one flag.
func (h *Handler) serveFlag(w http.ResponseWriter, r *http.Request, s *scratch, p Project, key string) {
	if p.Evaluator == nil {
		fail(w, &key, notReady)
		return
	}
	request, problem := h.read(r, s)
	if problem != nil {
		fail(w, &key, *problem)
		return
	}
	q := query{
		evaluator: p.Evaluator, user: request.user, now: h.options.Now(), recorder: &s.recorder,
		catalog: h.catalogs.of(p.Evaluator.Snapshot()),
	}
	found, ok := q.find(key)
	if !ok {
		fail(w, &key, q.notFound(key))
		return
	}
	if problem := q.problem(&found); problem != nil {
		fail(w, &key, *problem)
		return
	}
	if p.Expose != nil && found.isExposure() {
		p.Expose(Exposure{Result: found.result, Parameter: found.read, User: q.user, Time: q.now})
	}
	out := appendMember(s.out[:0], "{", "key", key)
	out = q.appendAnswer(out, &found)
	s.out = out
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(out) //nolint:gosec // JSON, and said to be; who no longer listens misses it
}

// serveFlags answers for all flags.
func (h *Handler) serveFlags(w http.ResponseWriter, r *http.Request, s *scratch, p Project) {
	if p.Evaluator == nil {
		fail(w, nil, failure{notReady.status, "", notReady.details})
		return
	}
	request, problem := h.read(r, s)
	if problem != nil {
		fail(w, nil, *problem)
		return
	}
	snapshot, now := p.Evaluator.Snapshot(), h.options.Now()
	catalog := h.catalogs.of(snapshot)
	if p.Version != "" {
		tag := entityTag(s, snapshot.Hash(), p.Version, catalog.boundary(snapshot, now), request.context)
		w.Header().Set("ETag", tag)
		if matches(r.Header.Values("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	q := query{evaluator: p.Evaluator, user: request.user, now: now, recorder: &s.recorder, catalog: catalog}
	out, ok := q.appendAll(s.out[:0])
	s.out = out
	if !ok {
		w.Header().Del("ETag")
		fail(w, nil, failure{http.StatusBadRequest, codeGeneral, "the project has too many flags for one answer: ask for single ones"})
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	_, _ = w.Write(out) // who no longer listens misses the answer
}
