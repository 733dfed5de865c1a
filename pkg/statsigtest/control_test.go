package statsigtest_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// TestControlDoesWhatTheMethodsDo sends each control request to one server and calls the method on another: they end up
// alike.
func TestControlDoesWhatTheMethodsDo(t *testing.T) {
	tests := map[string]struct {
		method, path, body string
		same               func(*statsigtest.Server) error
	}{
		"a gate is switched on": {"POST", "gates/new_checkout?pass=true", "",
			func(s *statsigtest.Server) error { return s.SetGate("new_checkout", true) }},
		"a gate is switched off": {"POST", "gates/new_checkout?pass=false", "",
			func(s *statsigtest.Server) error { return s.SetGate("new_checkout", false) }},
		"a segment is switched on": {"POST", "gates/segment:staff?pass=true", "",
			func(s *statsigtest.Server) error { return s.SetGate("segment:staff", true) }},
		"a gate is reset": {"POST", "gates/new_checkout?reset=true", "",
			func(s *statsigtest.Server) error { return s.ResetGate("new_checkout") }},
		"a percentage is set": {"POST", "gates/new_checkout?percentage=12.5", "",
			func(s *statsigtest.Server) error { return s.SetPassPercentage("new_checkout", "", 12.5) }},
		"a rule's percentage is set": {"POST", "gates/segment:staff?percentage=0&rule=5ayoXr9AXPBOsbbegt1ymz", "",
			func(s *statsigtest.Server) error {
				return s.SetPassPercentage("segment:staff", "5ayoXr9AXPBOsbbegt1ymz", 0)
			}},
		"a config is set": {"PUT", "configs/freeze", `{"state":"on"}`,
			func(s *statsigtest.Server) error { return s.SetDynamicConfig("freeze", []byte(`{"state":"on"}`)) }},
		"a document is replaced": {"PUT", "specs", smallProject,
			func(s *statsigtest.Server) error { s.SetSpecs([]byte(smallProject)); return nil }},
		"a document is replaced and bumped": {"PUT", "specs?bump=true", smallProject,
			func(s *statsigtest.Server) error { s.SetSpecs([]byte(smallProject)); return s.BumpSpecs() }},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s, other := start(t, statsigtest.Options{}), start(t, statsigtest.Options{})
			got := mustDo(t, tc.method, s.URL()+"/control/"+tc.path, nil, tc.body)
			if got.status != 200 {
				t.Fatalf("answer %d %s", got.status, got.body)
			}
			if err := tc.same(other); err != nil {
				t.Fatal(err)
			}
			if string(other.Specs()) == string(statsigtest.DemoProject()) {
				t.Fatal("the method changed nothing")
			}
			if diff := cmp.Diff(string(other.Specs()), string(s.Specs())); diff != "" {
				t.Errorf("documents (-method +control):\n%s", diff)
			}
			if served := mustDo(t, "GET", s.URL()+"/control/specs", nil, ""); served.body != string(s.Specs()) {
				t.Errorf("GET specs gives %q", served.body)
			}
		})
	}
}

func TestControlOfIDLists(t *testing.T) {
	s := start(t, statsigtest.Options{})
	mustDo(t, "PUT", s.URL()+"/control/id-lists/a%2Fb", nil, `["123"]`)
	mustDo(t, "DELETE", s.URL()+"/control/id-lists/beta_workloads", nil, "")
	lists := manifest(t, s)
	if len(lists) != 1 || mustDo(t, "GET", lists["a/b"].URL, nil, "").body != "+"+hash123+"\n" {
		t.Errorf("lists are %+v", lists)
	}
}

func TestControlOfEvents(t *testing.T) {
	s := start(t, statsigtest.Options{})
	numbers := func(query string) []int64 {
		t.Helper()
		got := []int64{}
		for _, e := range gjson.Parse(mustDo(t, "GET", s.URL()+"/control/events"+query, nil, "").body).Array() {
			got = append(got, e.Get("number").Int())
		}
		return got
	}
	check := func(query string, want ...int64) {
		t.Helper()
		if diff := cmp.Diff(append([]int64{}, want...), numbers(query)); diff != "" {
			t.Errorf("events of %q (-want +got):\n%s", query, diff)
		}
	}
	check("")
	waited := make(chan []int64, 1)
	go func() { waited <- numbers("?after=0&wait=1m") }()
	mustDo(t, "POST", s.EventsURL(), eventHeaders(2), batchOf(gateExposure, purchase))
	if diff := cmp.Diff([]int64{1, 2}, <-waited); diff != "" {
		t.Errorf("events waited for (-want +got):\n%s", diff)
	}
	check("?after=1", 2)
	check("?after=2")

	var events []statsigtest.Event
	if err := json.Unmarshal([]byte(mustDo(t, "GET", s.URL()+"/control/events", nil, "").body), &events); err != nil {
		t.Fatalf("reading the events: %v", err)
	}
	if diff := cmp.Diff(s.Events(), events); diff != "" {
		t.Errorf("events over HTTP (-method +control):\n%s", diff)
	}
	mustDo(t, "DELETE", s.URL()+"/control/events", nil, "")
	check("")
}

func TestControlOfFailures(t *testing.T) {
	s := start(t, statsigtest.Options{Specs: []byte(smallProject)})
	url := s.SpecsURL() + "/" + key + ".json"
	query := "?endpoint=specs&status=503&body=busy&times=9&retry-after=2s&delay=1ns&truncate-after=9&drop=false&garbage=false"
	mustDo(t, "POST", s.URL()+"/control/fail"+query, nil, "")
	if got := mustDo(t, "GET", url, nil, ""); got.status != 503 || got.body != "busy" || got.header.Get("Retry-After") != "2" {
		t.Errorf("answer is %d %q, retry-after %q", got.status, got.body, got.header.Get("Retry-After"))
	}
	mustDo(t, "DELETE", s.URL()+"/control/fail?endpoint=events", nil, "")
	if got := mustDo(t, "GET", url, nil, ""); got.status != 503 {
		t.Errorf("healing events healed specs: status %d", got.status)
	}
	mustDo(t, "DELETE", s.URL()+"/control/fail", nil, "")
	if got := mustDo(t, "GET", url, nil, ""); got.status != 200 {
		t.Errorf("status after healing = %d", got.status)
	}
}

func TestControlOfRequests(t *testing.T) {
	s := start(t, statsigtest.Options{Specs: []byte(smallProject)})
	mustDo(t, "GET", s.SpecsURL()+"/"+key+".json?sinceTime=100", nil, "")
	got := gjson.Parse(mustDo(t, "GET", s.URL()+"/control/requests", nil, "").body)
	if got.Get("counts.specs").Int() != 1 || got.Get("counts.events").Int() != 0 {
		t.Errorf("counts are %s", got.Get("counts"))
	}
	if got.Get("latest.0.outcome").String() != "no updates" {
		t.Errorf("latest requests are %s", got.Get("latest"))
	}
}

func TestControlRefusesWhatItCannotRead(t *testing.T) {
	s := start(t, statsigtest.Options{})
	tests := map[string]struct {
		method, path, body string
		wantStatus         int
	}{
		"a gate that is not there":     {"POST", "gates/nothing?pass=true", "", 400},
		"a gate and nothing to do":     {"POST", "gates/new_checkout", "", 400},
		"a pass that is no boolean":    {"POST", "gates/new_checkout?pass=maybe", "", 400},
		"a percentage in words":        {"POST", "gates/new_checkout?percentage=half", "", 400},
		"a percentage out of bounds":   {"POST", "gates/new_checkout?percentage=-1", "", 400},
		"a config value of no object":  {"PUT", "configs/freeze", `7`, 400},
		"a bump that is no boolean":    {"PUT", "specs?bump=high", "{}", 400},
		"a bump of what is no JSON":    {"PUT", "specs?bump=true", "{", 400},
		"a list of numbers":            {"PUT", "id-lists/l", `[1]`, 400},
		"events after a word":          {"GET", "events?after=lunch", "", 400},
		"a wait in words":              {"GET", "events?wait=long", "", 400},
		"a failure with a typing slip": {"POST", "fail?endpiont=specs&status=500", "", 400},
		"a failure with a bad number":  {"POST", "fail?status=bad", "", 400},
		"a failure that does nothing":  {"POST", "fail", "", 400},
		"an unknown control":           {"GET", "nothing", "", 404},
		"a method that fits nothing":   {"DELETE", "specs", "", 405},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := mustDo(t, tc.method, s.URL()+"/control/"+tc.path, nil, tc.body)
			if got.status != tc.wantStatus {
				t.Errorf("status = %d, want %d: %s", got.status, tc.wantStatus, got.body)
			}
			if tc.wantStatus == 400 && gjson.Get(got.body, "error").String() == "" {
				t.Errorf("answer %s says no reason", got.body)
			}
		})
	}
}
