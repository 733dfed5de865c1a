package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// event is an exposure as the command prints it.
type event struct {
	EventName          string
	Metadata           map[string]string
	StatsigMetadata    map[string]any
	User               map[string]any
	Value              any
	Time               *int64
	SecondaryExposures []map[string]string
}

func TestExposuresPrintsTheEventsOfEverythingThatCanBeRead(t *testing.T) {
	specs := writeFile(t, "specs.json", string(testDocument().JSON(t)))
	got := execute(t, `{"userID":"u1","email":"daniel@example.com","privateAttributes":{"plan":"gold"}}`,
		"exposures", "--specs", specs, "--users", "-", "--environment", "staging")
	if got.Code != 0 || got.Err != "" || !strings.HasPrefix(got.Out, `{"u":0,"events":[{"eventName":`) {
		t.Fatalf("outcome = %+v", got)
	}
	var line struct{ Events []event }
	if err := json.Unmarshal([]byte(got.Out), &line); err != nil {
		t.Fatal(err)
	}
	staff := []map[string]string{{"gate": "staff_gate", "gateValue": "true", "ruleID": "staff"}}
	const gate, config = "statsig::gate_exposure", "statsig::config_exposure"
	want := []event{
		{EventName: gate, Metadata: map[string]string{"gate": "nobody", "gateValue": "false", "ruleID": "disabled"}},
		{EventName: gate, Metadata: map[string]string{"gate": "segment:staff", "gateValue": "true", "ruleID": "mail"}},
		{EventName: gate, Metadata: map[string]string{"gate": "staff_gate", "gateValue": "true", "ruleID": "staff"}},
		{EventName: config, SecondaryExposures: staff, Metadata: map[string]string{"config": "color", "rulePassed": "true", "ruleID": "test"}},
		{EventName: config, Metadata: map[string]string{"config": "limits", "rulePassed": "false", "ruleID": "default"}},
		{EventName: "statsig::layer_exposure", Metadata: map[string]string{
			"config": "page", "parameterName": "color", "ruleID": "test", "allocatedExperiment": "", "isExplicitParameter": "false",
		}},
	}
	user := map[string]any{
		"userID": "u1", "email": "daniel@example.com", "statsigEnvironment": map[string]any{"tier": "staging"},
	}
	for i := range want {
		want[i].User, want[i].StatsigMetadata = user, map[string]any{}
		if want[i].SecondaryExposures == nil {
			want[i].SecondaryExposures = []map[string]string{}
		}
	}
	for i := range line.Events {
		metadata := line.Events[i].Metadata
		if metadata["reason"] != "Network:Recognized" || metadata["lcut"] == "" {
			t.Errorf("event %d: reason %q, lcut %q, want those of an SDK", i, metadata["reason"], metadata["lcut"])
		}
		for _, field := range []string{"reason", "lcut", "configVersion"} {
			delete(metadata, field)
		}
	}
	if diff := cmp.Diff(want, line.Events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestExposuresReportsLinesThatAreNoUser(t *testing.T) {
	specs := writeFile(t, "specs.json", string(testDocument().JSON(t)))
	got := execute(t, "nonsense\n"+otherUser+"\n", "exposures", "--specs", specs, "--users", "-")
	if got.Code != 1 || !strings.HasPrefix(got.Err, "error: the standard input:1: ") || !strings.HasPrefix(got.Out, `{"u":1,`) ||
		strings.Count(got.Out, "\n") != 1 {
		t.Errorf("outcome = %+v, want one error for line 1 and the answer for the other", got)
	}
}

func TestNumbersAreSpelledAsJavaScriptDoes(t *testing.T) {
	const document = `{"has_updates":true,"time":1,"feature_gates":{},"layer_configs":{},"condition_map":{},"experiment_to_layer":{},
		"dynamic_configs":{"n":{"type":"dynamic_config","entity":"dynamic_config","salt":"s","enabled":true,"idType":"userID","version":1,
		"rules":[],"defaultValue":{"a":9007199254740993,"b":1.0,"c":1E21,"d":12345678901234567890,"e":1e-7,"f":0.10}}}}`
	specs := writeFile(t, "specs.json", document)
	got := execute(t, otherUser, "evaluate", "--specs", specs, "--users", "-")
	const want = `"value":{"a":9007199254740992,"b":1,"c":1e+21,"d":12345678901234567000,"e":1e-7,"f":0.1}`
	if got.Code != 0 || !strings.Contains(got.Out, want) {
		t.Errorf("outcome = %+v, want %s", got, want)
	}
	got = execute(t, "", "explain", "--specs", specs, "--user", otherUser, "config", "n")
	if digits := `"a":9007199254740993,"b":1.0,"c":1E21,"d":12345678901234567890`; !strings.Contains(got.Out, digits) {
		t.Errorf("explain = %+v, want the digits of the document: %s", got, digits)
	}
}
