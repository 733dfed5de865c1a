package statsigtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Endpoint is one of the things a Statsig server offers.
type Endpoint string

// The endpoints of a [Server].
const (
	EndpointSpecs       Endpoint = "specs"         // <prefix>/download_config_specs/<key>.json
	EndpointEvents      Endpoint = "events"        // <prefix>/log_event
	EndpointIDLists     Endpoint = "id-lists"      // <prefix>/get_id_lists, the manifest
	EndpointIDListFiles Endpoint = "id-list-files" // the files the manifest names
	EndpointOther       Endpoint = "other"         // any other address; answered with 404
)

var endpoints = []Endpoint{EndpointSpecs, EndpointEvents, EndpointIDLists, EndpointIDListFiles, EndpointOther}

// Endpoints returns all endpoints.
func Endpoints() []Endpoint { return slices.Clone(endpoints) }

// Request is one request that a server received, without the SDK key.
type Request struct {
	Endpoint Endpoint `json:"endpoint"`
	Method   string   `json:"method"`
	Target   string   `json:"target"`  // path and query; a key in it is replaced by its fingerprint
	Key      string   `json:"key"`     // fingerprint of the SDK key, "" when there was none
	Status   int      `json:"status"`  // 0 when no answer was sent
	Bytes    int      `json:"bytes"`   // length of the answer's body
	Outcome  string   `json:"outcome"` // what the server made of it, for people
}

// String returns the request as one short line.
func (r Request) String() string {
	key := ""
	if r.Key != "" && !strings.Contains(r.Target, r.Key) {
		key = " key " + r.Key
	}
	return fmt.Sprintf("%s %s%s: %d, %s", r.Method, r.Target, key, r.Status, r.Outcome)
}

// answer is a response before it is written.
type answer struct {
	status      int
	contentType string // application/json when empty
	encoding    string // of body, as in Content-Encoding
	rangeOf     string // Content-Range
	body        []byte
	outcome     string
}

func refuse(status int, reason string) answer {
	body := `{"success":false,"error":` + quote(reason) + `}`
	return answer{status: status, body: []byte(body), outcome: "refused: " + reason}
}

// quote returns text as a JSON string.
func quote(text string) string {
	quoted, _ := json.Marshal(text) // a string always has a JSON form
	return string(quoted)
}

// ServeHTTP answers one request of the Statsig protocol, whatever prefix stands before its path:
//
//	GET  …/download_config_specs/<key>.json    ?sinceTime= and ?checksum= as held by the client
//	POST …/get_id_lists, GET …/get_id_lists/<key>.json
//	GET  /id_list_files/…                      Range header or ?range=<start>-
//	POST …/log_event
//
// and the server's own controls, which other processes use and which answer in JSON:
//
//	GET    /control/specs                      the document as it stands
//	PUT    /control/specs                      replaces it; ?bump=true raises its time above all served before
//	POST   /control/gates/<name>               ?pass=true|false, ?percentage=<0..100>[&rule=<id>] or ?reset=true
//	PUT    /control/configs/<name>             a JSON object: the value everyone gets
//	PUT    /control/id-lists/<name>            a JSON array of unit IDs
//	DELETE /control/id-lists/<name>
//	GET    /control/events                     ?after=<number> skips older ones, &wait=<duration> waits for the next
//	DELETE /control/events
//	GET    /control/requests                   counts per endpoint and the latest requests
//	POST   /control/fail                       the fields of a Failure: ?endpoint= &times= &delay= &drop= &status=
//	                                           &body= &garbage= &truncate-after= &retry-after=; durations as in 1.5s
//	DELETE /control/fail                       heals; ?endpoint= for one only
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, controlPrefix) {
		s.control.ServeHTTP(w, r)
		return
	}
	c := classify(r)
	// A key that is not configured is known only while its request lasts; without this it could stand in an event or
	// a query.
	release := s.scrubber.Add(c.key)
	defer release()

	f := s.arrive(c.endpoint)
	if err := f.pause(r.Context()); err != nil {
		s.record(r, c, answer{outcome: "client left during the delay"})
		return
	}
	if f.Drop {
		s.record(r, c, answer{outcome: "failure: connection dropped"})
		drop(w)
		return
	}
	a, failed := f.answer()
	if failed {
		discardBody(r)
	} else {
		a = s.answer(w, r, c)
	}
	if cut := f.truncate(a.body); len(cut) < len(a.body) {
		a.outcome += fmt.Sprintf(", cut after %d bytes", len(cut))
	}
	s.record(r, c, a)
	a.write(w, f)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, c call) answer {
	// Not every SDK sends its key with the requests for list files.
	if c.endpoint != EndpointIDListFiles && c.endpoint != EndpointOther {
		if refusal, ok := s.accepts(c.key); !ok {
			discardBody(r)
			return refusal
		}
	}
	switch c.endpoint {
	case EndpointSpecs:
		return s.answerSpecs(r)
	case EndpointEvents:
		return s.answerEvents(w, r, c)
	case EndpointIDLists:
		return s.answerManifest(r)
	case EndpointIDListFiles:
		return s.answerListFile(r, c)
	default:
		return refuse(http.StatusNotFound, "there is nothing at this address")
	}
}

// write sends the answer. Sending less than the announced length makes net/http cut the connection, which is what a
// truncated download looks like to a client.
func (a answer) write(w http.ResponseWriter, f Failure) {
	h := w.Header()
	contentType := a.contentType
	if contentType == "" {
		contentType = "application/json"
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	if a.encoding != "" {
		h.Set("Content-Encoding", a.encoding)
	}
	if a.rangeOf != "" {
		h.Set("Content-Range", a.rangeOf)
	}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", f.retryAfterSeconds())
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(f.truncate(a.body)) // the client may be gone; there is nobody left to tell
}

// arrive counts a request and takes the failure it meets, if any.
func (s *Server) arrive(e Endpoint) Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrived[e]++
	s.announce()
	f, ok := s.failures[e]
	if !ok {
		return Failure{}
	}
	switch f.Times {
	case 0:
	case 1:
		delete(s.failures, e)
	default:
		left := f
		left.Times--
		s.failures[e] = left
	}
	return f
}

func (s *Server) record(r *http.Request, c call, a answer) {
	entry := Request{
		Endpoint: c.endpoint,
		Method:   r.Method,
		Target:   c.target,
		Status:   a.status,
		Bytes:    len(a.body),
		Outcome:  a.outcome,
	}
	if !c.key.IsZero() {
		entry.Key = c.key.Fingerprint()
	}
	if r.URL.RawQuery != "" {
		entry.Target += "?" + r.URL.RawQuery
	}
	entry.Target = s.scrubber.Scrub(entry.Target)

	s.mu.Lock()
	s.requests = append(s.requests, entry)
	s.requests = s.requests[max(0, len(s.requests)-maxRequests):]
	s.announce()
	s.mu.Unlock()
	if s.onRequest != nil {
		s.onRequest(entry)
	}
}

// RequestCount returns how many requests an endpoint received since the server was made, failed ones and those still
// under way included.
func (s *Server) RequestCount(e Endpoint) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrived[e]
}

// Requests returns the latest answered requests in order, at most 10,000 of them.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}
