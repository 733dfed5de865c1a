package statsigtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	controlPrefix = "/control/"

	// maxDocumentBytes bounds what a control request may upload.
	maxDocumentBytes = 256 << 20

	// maxWait bounds how long a request for events may wait, so that forgotten ones end.
	maxWait = time.Minute
)

// controlHandler serves the addresses listed at [Server.ServeHTTP].
func (s *Server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, f func(*http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxDocumentBytes)
			result, err := f(r)
			status := http.StatusOK
			if err != nil {
				status, result = http.StatusBadRequest, map[string]string{"error": s.scrubber.Scrub(err.Error())}
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(result) // the client may be gone; there is nobody left to tell
		})
	}
	mux.HandleFunc("GET /control/specs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.Specs()) // as above
	})
	route("PUT /control/specs", s.controlSetSpecs)
	route("POST /control/gates/{name...}", s.controlGate)
	route("PUT /control/configs/{name...}", s.controlConfig)
	route("PUT /control/id-lists/{name...}", s.controlSetIDList)
	route("DELETE /control/id-lists/{name...}", func(r *http.Request) (any, error) {
		s.RemoveIDList(r.PathValue("name"))
		return success, nil
	})
	route("GET /control/events", s.controlEvents)
	route("DELETE /control/events", func(*http.Request) (any, error) {
		s.DiscardEvents()
		return success, nil
	})
	route("GET /control/requests", s.controlRequests)
	route("POST /control/fail", func(r *http.Request) (any, error) {
		f, err := parseFailure(r.URL.Query())
		if err != nil {
			return nil, err
		}
		return success, s.Fail(f)
	})
	route("DELETE /control/fail", s.controlHeal)
	return mux
}

var success = map[string]bool{"success": true}

func (s *Server) controlSetSpecs(r *http.Request) (any, error) {
	bump, err := flag(r.URL.Query(), "bump")
	if err != nil {
		return nil, err
	}
	doc, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	s.SetSpecs(doc)
	if bump {
		return success, s.BumpSpecs()
	}
	return success, nil
}

func (s *Server) controlGate(r *http.Request) (any, error) {
	name, q := r.PathValue("name"), r.URL.Query()
	switch {
	case q.Has("percentage"):
		percentage, err := strconv.ParseFloat(q.Get("percentage"), 64)
		if err != nil {
			return nil, fmt.Errorf("parameter percentage is %q, want a number", q.Get("percentage"))
		}
		return success, s.SetPassPercentage(name, q.Get("rule"), percentage)
	case q.Has("pass"):
		pass, err := flag(q, "pass")
		if err != nil {
			return nil, err
		}
		return success, s.SetGate(name, pass)
	case q.Has("reset"):
		return success, s.ResetGate(name)
	}
	return nil, errors.New("want one of the parameters pass, percentage and reset")
}

func (s *Server) controlConfig(r *http.Request) (any, error) {
	value, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the value: %w", err)
	}
	return success, s.SetDynamicConfig(r.PathValue("name"), value)
}

func (s *Server) controlSetIDList(r *http.Request) (any, error) {
	var ids []string
	if err := json.NewDecoder(r.Body).Decode(&ids); err != nil {
		return nil, fmt.Errorf("reading unit IDs as a JSON array of strings: %w", err)
	}
	s.SetIDList(r.PathValue("name"), ids...)
	return success, nil
}

func (s *Server) controlEvents(r *http.Request) (any, error) {
	after, wait := 0, time.Duration(0)
	var err error
	q := r.URL.Query()
	if text := q.Get("after"); text != "" {
		if after, err = strconv.Atoi(text); err != nil {
			return nil, fmt.Errorf("parameter after is %q, want a number", text)
		}
	}
	if text := q.Get("wait"); text != "" {
		if wait, err = time.ParseDuration(text); err != nil {
			return nil, fmt.Errorf("parameter wait is %q, want a duration such as 10s", text)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), min(wait, maxWait))
	defer cancel()
	// Running out of time is no error here: the answer is then an empty list.
	_ = s.wait(ctx, func() bool { return len(s.events) > 0 && s.events[len(s.events)-1].Number > after })
	events := s.eventsAfter(after)
	if events == nil {
		events = []Event{}
	}
	return events, nil
}

func (s *Server) controlRequests(*http.Request) (any, error) {
	counts := map[Endpoint]int{}
	for _, e := range endpoints {
		counts[e] = s.RequestCount(e)
	}
	return struct {
		Counts map[Endpoint]int `json:"counts"`
		Latest []Request        `json:"latest"`
	}{counts, s.Requests()}, nil
}

func (s *Server) controlHeal(r *http.Request) (any, error) {
	if e := Endpoint(r.URL.Query().Get("endpoint")); e != "" {
		s.Heal(e)
	} else {
		s.Heal()
	}
	return success, nil
}

// flag reads an optional boolean parameter.
func flag(q url.Values, name string) (bool, error) {
	text := q.Get(name)
	if text == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("parameter %s is %q, want true or false", name, text)
	}
	return v, nil
}

// parseFailure reads the parameters of POST /control/fail; an unknown one is an error, since it is a misspelt one.
func parseFailure(q url.Values) (Failure, error) {
	f := Failure{}
	for name, values := range q {
		text := values[len(values)-1]
		var err error
		switch name {
		case "endpoint":
			f.Endpoint = Endpoint(text)
		case "body":
			f.Body = text
		case "times":
			f.Times, err = strconv.Atoi(text)
		case "status":
			f.Status, err = strconv.Atoi(text)
		case "truncate-after":
			f.TruncateAfter, err = strconv.Atoi(text)
		case "delay":
			f.Delay, err = time.ParseDuration(text)
		case "retry-after":
			f.RetryAfter, err = time.ParseDuration(text)
		case "drop":
			f.Drop, err = strconv.ParseBool(text)
		case "garbage":
			f.Garbage, err = strconv.ParseBool(text)
		default:
			err = errors.New("unknown parameter")
		}
		if err != nil {
			return Failure{}, fmt.Errorf("parameter %s: %w", name, err)
		}
	}
	return f, nil
}
