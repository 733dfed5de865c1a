package controllers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// write is one request to the API server that changes something.
type write struct {
	verb, group, resource, subresource, namespace, name string
	// refused says that it met a newer version of the object and changed nothing.
	refused bool
}

func (w write) String() string {
	resource := w.resource
	if w.subresource != "" {
		resource += "/" + w.subresource
	}
	if w.group != "" {
		resource += "." + w.group
	}
	return w.verb + " " + resource + " " + w.namespace + "/" + w.name
}

// crashPoint says when an operator is cut off: at its n-th write, counted from 0 and without Kubernetes Events, which are sent in
// the background and promise nothing.
type crashPoint struct {
	write int
	// reached says that this write still reaches the API server; only its answer is lost.
	reached bool
}

// apiRequests counts the writes of one operator, and makes its connection to the API server fail for good at its crash point.
type apiRequests struct {
	// crashAt is nil for an operator that lives. It must be set before the operator starts.
	crashAt *crashPoint
	// podNews, if set, is locked to keep the watch of pods from telling anything. It must be set before the operator starts.
	podNews *sync.RWMutex

	mu      sync.Mutex
	writes  []write
	counted int
	crashed bool
	last    time.Time
}

var errCrashed = errors.New("the connection was cut")

func (r *apiRequests) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		w, changes := writeOf(request)
		number, fails, reaches := r.note(w, changes)
		if !fails {
			response, err := r.delayNews(next, request)
			if changes && w.resource != "leases" && err == nil && response.StatusCode == http.StatusConflict {
				r.refuse(number)
			}
			return response, err
		}
		if reaches {
			if response, err := next.RoundTrip(request); err == nil {
				response.Body.Close()
			}
		}
		return nil, errCrashed
	})
}

// delayNews sends a request; what a watch of pods brings waits for podNews.
func (r *apiRequests) delayNews(next http.RoundTripper, request *http.Request) (*http.Response, error) {
	response, err := next.RoundTrip(request)
	if err == nil && r.podNews != nil && strings.HasSuffix(request.URL.Path, "/pods") && request.URL.Query().Has("watch") {
		response.Body = delayedBody{response.Body, r.podNews}
	}
	return response, err
}

type delayedBody struct {
	io.ReadCloser
	news *sync.RWMutex
}

func (b delayedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.news.RLock()
	defer b.news.RUnlock()
	return n, err
}

// note counts a request and says what becomes of it.
func (r *apiRequests) note(w write, changes bool) (number int, fails, reaches bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.crashed {
		return 0, true, false
	}
	if !changes || w.resource == "leases" { // of a lease nobody but replicas takes notice, and a leader renews it all the time
		return 0, false, false
	}
	number = len(r.writes)
	r.writes = append(r.writes, w)
	r.last = time.Now()
	if w.group == "events.k8s.io" {
		return number, false, false
	}
	r.counted++
	if r.crashAt != nil && r.counted > r.crashAt.write {
		r.crashed = true
		return number, true, r.crashAt.reached
	}
	return number, false, false
}

func (r *apiRequests) refuse(number int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes[number].refused = true
}

// cut makes the connection to the API server fail from now on.
func (r *apiRequests) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.crashed = true
}

func (r *apiRequests) hasCrashed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.crashed
}

// all returns the writes so far, Kubernetes Events included.
func (r *apiRequests) all() []write {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]write(nil), r.writes...)
}

// of returns the writes to one resource, "configmaps" or "flagbindings/status", so far.
func (r *apiRequests) of(resource string) []write {
	var found []write
	for _, w := range r.all() {
		if w.resource == resource || w.resource+"/"+w.subresource == resource {
			found = append(found, w)
		}
	}
	return found
}

func (r *apiRequests) lastWrite() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// writeOf reads what a request does from its method and path; changes is false for one that only reads.
func writeOf(r *http.Request) (w write, changes bool) {
	switch r.Method {
	case http.MethodPost:
		w.verb = "create"
	case http.MethodPut:
		w.verb = "update"
	case http.MethodDelete:
		w.verb = "delete"
	case http.MethodPatch:
		w.verb = "patch"
		if strings.Contains(r.Header.Get("Content-Type"), "apply-patch") {
			w.verb = "apply"
		}
	default:
		return w, false
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	// api/v1/… or apis/<group>/<version>/…
	if parts[0] == "apis" {
		w.group, parts = parts[1], parts[3:]
	} else {
		parts = parts[2:]
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		w.namespace, parts = parts[1], parts[2:]
	}
	parts = append(parts, "", "")
	w.resource, w.name, w.subresource = parts[0], parts[1], parts[2]
	return w, true
}

// activity is what an operator's log tells of its reconciles.
type activity struct {
	mu sync.Mutex
	// begun and ended count reconciles by "<controller> <namespace>/<name>".
	begun, ended map[string]int
	// times are when reconciles began, by the same.
	times  map[string][]time.Time
	errors []string
	last   time.Time
}

// Write reads one line of the log.
func (a *activity) Write(line []byte) (int, error) {
	if !bytes.Contains(line, []byte(`"reconcileID"`)) || !bytes.Contains(line, []byte(`"Reconcil`)) {
		return len(line), nil
	}
	var entry struct{ Msg, Controller, Namespace, Name, Error string }
	if json.Unmarshal(line, &entry) != nil {
		return len(line), nil
	}
	key := entry.Controller + " " + entry.Namespace + "/" + entry.Name
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.begun == nil {
		a.begun, a.ended, a.times = map[string]int{}, map[string]int{}, map[string][]time.Time{}
	}
	switch {
	case entry.Msg == "Reconciling":
		a.begun[key]++
		a.times[key] = append(a.times[key], time.Now())
	case entry.Msg == "Reconcile successful", strings.HasPrefix(entry.Msg, "Reconcile done"):
		a.ended[key]++
	case entry.Msg == "Reconciler error":
		a.ended[key]++
		a.errors = append(a.errors, key+": "+entry.Error)
	}
	a.last = time.Now()
	return len(line), nil
}

// completed returns how many reconciles of an object have ended.
func (a *activity) completed(controller, namespace, name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ended[controller+" "+namespace+"/"+name]
}

// startsSince returns when reconciles of an object began, after the first n.
func (a *activity) startsSince(n int, controller, namespace, name string) []time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]time.Time(nil), a.times[controller+" "+namespace+"/"+name][n:]...)
}

// idleSince returns since when no reconcile runs; ok is false while one does.
func (a *activity) idleSince() (since time.Time, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, n := range a.begun {
		if a.ended[key] != n {
			return time.Time{}, false
		}
	}
	return a.last, true
}

func (a *activity) failures() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.errors...)
}
