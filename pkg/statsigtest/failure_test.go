package statsigtest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

func fail(t *testing.T, s *statsigtest.Server, f statsigtest.Failure) {
	t.Helper()
	if err := s.Fail(f); err != nil {
		t.Fatal(err)
	}
}

func TestFailureAnswers(t *testing.T) {
	tests := map[string]struct {
		failure    statsigtest.Failure
		wantStatus int
		wantBody   string
		wantRetry  string
		wantCut    bool
	}{
		"a status with nothing else": {statsigtest.Failure{Status: 500}, 500, "", "", false},
		"a status with a body":       {statsigtest.Failure{Status: 202, Body: `{"success":false}`}, 202, `{"success":false}`, "", false},
		"a body with nothing else":   {statsigtest.Failure{Body: `[]`}, 200, `[]`, "", false},
		"retry-after is rounded up":  {statsigtest.Failure{Status: 429, RetryAfter: 1500 * time.Millisecond}, 429, "", "2", false},
		"garbage is no JSON": {
			statsigtest.Failure{Garbage: true}, 200,
			"<!doctype html><title>Sign in</title><p>Please sign in to use this network.\n", "", false,
		},
		"a cut body":                         {statsigtest.Failure{TruncateAfter: 20}, 200, smallProject[:20], "", true},
		"a cut beyond the end cuts nothing":  {statsigtest.Failure{TruncateAfter: 1000}, 200, smallProject, "", false},
		"a header alone leaves the document": {statsigtest.Failure{RetryAfter: time.Hour}, 200, smallProject, "3600", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := start(t, statsigtest.Options{Specs: []byte(smallProject)})
			fail(t, s, tc.failure)
			got, err := do(t, "GET", s.SpecsURL()+"/"+key+".json", nil, "")
			if (err != nil) != tc.wantCut {
				t.Errorf("error = %v, want one: %v", err, tc.wantCut)
			}
			if got.status != tc.wantStatus || got.header.Get("Retry-After") != tc.wantRetry {
				t.Errorf("status %d, retry-after %q, want %d, %q", got.status, got.header.Get("Retry-After"), tc.wantStatus, tc.wantRetry)
			}
			if diff := cmp.Diff(tc.wantBody, got.body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			s.Heal()
			if got := mustDo(t, "GET", s.SpecsURL()+"/"+key+".json", nil, ""); got.body != smallProject {
				t.Errorf("after healing the body is %q", got.body)
			}
		})
	}
}

func TestFailureEndsAfterItsTimes(t *testing.T) {
	s := start(t, statsigtest.Options{Specs: []byte(smallProject)})
	fail(t, s, statsigtest.Failure{Endpoint: statsigtest.EndpointSpecs, Status: 503, Times: 2})
	var statuses []int
	for range 3 {
		statuses = append(statuses, mustDo(t, "GET", s.SpecsURL()+"/"+key+".json", nil, "").status)
	}
	if diff := cmp.Diff([]int{503, 503, 200}, statuses); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if n := s.RequestCount(statsigtest.EndpointSpecs); n != 3 {
		t.Errorf("RequestCount = %d, want 3: failed requests count too", n)
	}
}

func TestFailuresAreKeptPerEndpoint(t *testing.T) {
	s := start(t, statsigtest.Options{})
	fail(t, s, statsigtest.Failure{Status: 500})
	fail(t, s, statsigtest.Failure{Endpoint: statsigtest.EndpointEvents, Status: 413})
	s.Heal(statsigtest.EndpointSpecs)
	got := map[string]int{
		"specs":    mustDo(t, "GET", s.SpecsURL()+"/"+key+".json", nil, "").status,
		"events":   mustDo(t, "POST", s.EventsURL(), eventHeaders(1), batchOf(purchase)).status,
		"id lists": mustDo(t, "POST", s.IDListsURL(), map[string]string{"statsig-api-key": key}, "").status,
	}
	if diff := cmp.Diff(map[string]int{"specs": 200, "events": 413, "id lists": 500}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if n := len(s.Events()); n != 0 {
		t.Errorf("%d events of a refused batch were kept", n)
	}
}

func TestDroppedConnection(t *testing.T) {
	s := start(t, statsigtest.Options{})
	fail(t, s, statsigtest.Failure{Drop: true})
	if got, err := do(t, "GET", s.SpecsURL()+"/"+key+".json", nil, ""); err == nil {
		t.Errorf("got an answer with status %d", got.status)
	}
	// Where there is no connection to drop, the client still learns that something is wrong.
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/download_config_specs/"+key+".json", nil))
	if w.Code != http.StatusBadGateway {
		t.Errorf("status without a connection = %d, want 502", w.Code)
	}
}

func TestBatchWhoseAnswerIsCutHasArrived(t *testing.T) {
	s := start(t, statsigtest.Options{})
	fail(t, s, statsigtest.Failure{TruncateAfter: 5})
	if _, err := do(t, "POST", s.EventsURL(), eventHeaders(1), batchOf(purchase)); err == nil {
		t.Error("the answer was not cut")
	}
	if n := len(s.Events()); n != 1 {
		t.Errorf("%d events were kept, want 1", n)
	}
}

func TestDelayedAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := statsigtest.New(statsigtest.Options{Specs: []byte(smallProject)})
		if err != nil {
			t.Fatal(err)
		}
		fail(t, s, statsigtest.Failure{Delay: 3 * time.Second})
		began := time.Now()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/download_config_specs/"+key+".json", nil))
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("the answer took %v, want 3s", took)
		}
		if w.Code != http.StatusOK || w.Body.String() != smallProject {
			t.Errorf("answer is %d %q", w.Code, w.Body)
		}
	})
}

func TestClientMayLeaveDuringADelay(t *testing.T) {
	s := start(t, statsigtest.Options{})
	fail(t, s, statsigtest.Failure{Delay: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := doContext(ctx, t, "GET", s.SpecsURL()+"/"+key+".json", nil, "")
		ended <- err
	}()
	if err := s.WaitForRequests(t.Context(), statsigtest.EndpointSpecs, 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want context.Canceled", err)
	}
	s.Close() // would hang if the delay still held its handler
}

func TestFailuresThatMakeNoSense(t *testing.T) {
	s := start(t, statsigtest.Options{})
	for name, f := range map[string]statsigtest.Failure{
		"nothing to do":          {},
		"nothing to do, twice":   {Times: 2, Endpoint: statsigtest.EndpointSpecs},
		"an unknown endpoint":    {Endpoint: "spec", Status: 500},
		"a negative count":       {Status: 500, Times: -1},
		"a negative delay":       {Delay: -time.Second},
		"a status that is none":  {Status: 99},
		"a status beyond number": {Status: 600},
	} {
		if err := s.Fail(f); err == nil || !strings.HasPrefix(err.Error(), "planning a failure: ") {
			t.Errorf("%s: error = %v", name, err)
		}
	}
	if got := mustDo(t, "GET", s.SpecsURL()+"/"+key+".json", nil, ""); got.status != 200 {
		t.Errorf("a refused failure took hold: status %d", got.status)
	}
}
