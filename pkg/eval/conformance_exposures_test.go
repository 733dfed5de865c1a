package eval_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// exposureEvent is an exposure as the official SDK logged it.
type exposureEvent struct {
	EventName          string                   `json:"eventName"`
	Metadata           map[string]string        `json:"metadata"`
	SecondaryExposures []eval.SecondaryExposure `json:"secondaryExposures"`
	User               json.RawMessage          `json:"user"`
}

// TestExposuresOfTheOfficialSDKOnRealProjects holds what a Result says about exposures, which its values don't show,
// against events that the SDK logged: lists in order, experiments of layers, explicit parameters.
func TestExposuresOfTheOfficialSDKOnRealProjects(t *testing.T) {
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		t.Skip("CONFORMANCE_DIR is not set: the documents of real projects are not part of this repository")
	}
	files, err := filepath.Glob(filepath.Join(dir, "exposures", "*.exposures.jsonl.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no conformance data: %v", err)
	}
	lists := idLists{}
	lists.read(t, filepath.Join(dir, "project", "id_lists.json.gz"))
	users := readLines(t, filepath.Join(dir, "exposures", "users.jsonl.gz"))
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".exposures.jsonl.gz")
		t.Run(name, func(t *testing.T) {
			x := exposureRun{t: t}
			x.evaluator = eval.NewEvaluator(compile(t, readFile(t, filepath.Join(dir, "..", "data", name+".json"))),
				eval.Options{
					Environment: "development", Country: countries(t), UserAgent: agentParser(t, false), IDLists: lists,
				})
			for _, line := range readLines(t, file)[1:] {
				var row struct {
					U      int             `json:"u"`
					Events []exposureEvent `json:"events"`
				}
				mustUnmarshal(t, line, &row)
				var m map[string]any
				mustUnmarshal(t, users[row.U%len(users)], &m)
				if x.user, err = eval.UserOf(m); err != nil {
					t.Fatal(err)
				}
				for i := range row.Events {
					x.check(row.U, &row.Events[i])
				}
			}
			t.Logf("%d events", x.events)
		})
	}
}

type exposureRun struct {
	t         *testing.T
	evaluator *eval.Evaluator
	user      *eval.User
	recorder  eval.Recorder
	events    int
}

var exposureKinds = map[string]struct {
	kind eval.Kind
	name string
}{
	"statsig::gate_exposure":   {eval.KindGate, "gate"},
	"statsig::config_exposure": {eval.KindExperiment, "config"},
	"statsig::layer_exposure":  {eval.KindLayer, "config"},
}

func (x *exposureRun) check(user int, e *exposureEvent) {
	kind, ok := exposureKinds[e.EventName]
	if !ok {
		return
	}
	x.events++
	ref := eval.Ref{Kind: kind.kind, Name: e.Metadata[kind.name]}
	res := x.evaluator.Evaluate(ref, x.user, time.UnixMilli(1_795_187_451_405), &x.recorder)
	parameter := e.Metadata["parameterName"]
	exposures, allocated := res.SecondaryExposures, res.ConfigDelegate
	explicit := slices.Contains(res.ExplicitParameters, parameter)
	if kind.kind == eval.KindLayer && !explicit {
		exposures, allocated = res.Undelegated, ""
	}
	got := map[string]string{
		"ruleID": res.RuleIDFor(parameter), "reason": res.Details.String(), "gateValue": strconv.FormatBool(res.Pass),
		"configVersion": strconv.FormatInt(res.Version, 10), "lcut": strconv.FormatInt(res.Details.LCUT, 10),
		"allocatedExperiment": allocated, "isExplicitParameter": strconv.FormatBool(explicit),
		"rulePassed": strconv.FormatBool(res.Pass),
	}
	for field, want := range e.Metadata {
		if value, ok := got[field]; ok && value != want {
			x.t.Errorf("user %d: %v %s: %s = %q, want %q", user, ref, parameter, field, value, want)
		}
	}
	if (exposures == nil) != (e.SecondaryExposures == nil) || !slices.Equal(exposures, e.SecondaryExposures) {
		x.t.Errorf("user %d: %v %s: exposures %s, want %s", user, ref, parameter, show(exposures),
			show(e.SecondaryExposures))
	}
	if len(e.User) > 0 {
		x.checkUser(user, e.User)
	}
}

func (x *exposureRun) checkUser(user int, want json.RawMessage) {
	var w, g any
	mustUnmarshal(x.t, want, &w)
	mustUnmarshal(x.t, x.evaluator.LoggableUser(nil, x.user), &g)
	if show(g) != show(w) {
		x.t.Errorf("user %d: loggable user %s, want %s", user, show(g), show(w))
	}
	if gjson.GetBytes(want, "privateAttributes").Exists() {
		x.t.Errorf("user %d: the SDK logged private attributes", user)
	}
}
