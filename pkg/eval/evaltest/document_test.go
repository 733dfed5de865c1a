package evaltest_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// everything uses every builder once.
func everything() *evaltest.Document {
	return evaltest.NewDocument(
		evaltest.NewSegment("s").Rule(evaltest.NewRule("r").When(evaltest.InSegmentList("l").IDType("companyID"))),
		evaltest.NewHoldout("h").Rule(evaltest.NewRule("r").Percent(1)),
		evaltest.NewGate("g").Salt("salt").IDType("companyID").Rule(evaltest.NewRule("r").IDType("companyID").When(
			evaltest.Public(), evaltest.UserField("f", "any", "a"), evaltest.UserFieldValue("n", "gt", 1),
			evaltest.Environment("tier", "any", "prod"), evaltest.IPBased("country", "any", "DE"),
			evaltest.UserAgentBased("os_name", "any", "iOS"), evaltest.CurrentTime("after", 1),
			evaltest.PassGate("segment:s"), evaltest.FailGate("h"), evaltest.UnitID("any", "u"),
			evaltest.UserBucket("salt", "lt", 500), evaltest.ExperimentGroup("e", "any", "G"),
		)),
		evaltest.NewGate("off").Disabled().Default(true),
		evaltest.NewDynamicConfig("c").Default(map[string]any{"a": 1}),
		evaltest.NewExperiment("e").Rule(evaltest.NewRule("r").Group("G").Return(map[string]any{"a": 2})),
		evaltest.NewLayer("l").Rule(evaltest.NewRule("r").Delegate("e")),
	).Store("p", map[string]any{
		"static": evaltest.Static(1), "gate": evaltest.FromGate("g", 1, 2), "config": evaltest.FromDynamicConfig("c", "a"),
		"experiment": evaltest.FromExperiment("e", "a"), "layer": evaltest.FromLayer("l", "a"),
	}).OverrideRule(evaltest.NewRule("o")).Mapping("g", "off", "o").MappingFrom("c", "e", "o", 5).Time(7)
}

func TestBuildersWriteWhatTheDecoderReads(t *testing.T) {
	s := evaltest.Compile(t, everything())
	if s.Time() != 7 {
		t.Errorf("time %d, want 7", s.Time())
	}
	e := eval.NewEvaluator(s, eval.Options{})
	for _, r := range eval.Diff(nil, s).Refs() {
		if !s.Has(r) || r.Kind == eval.KindParameterStore {
			continue
		}
		if res := e.Evaluate(r, nil, time.UnixMilli(9), nil); res.Details.Reason != eval.ReasonRecognized {
			t.Errorf("%v: %v", r, res.Details)
		}
	}
}

func TestEqualDocumentsHaveEqualTexts(t *testing.T) {
	if a, b := everything().JSON(t), everything().JSON(t); !bytes.Equal(a, b) {
		t.Errorf("%s\ndiffers from\n%s", a, b)
	}
}

func TestOddDocumentsCanBeBuilt(t *testing.T) {
	d := evaltest.NewDocument(
		evaltest.NewGate("bad").Without("salt"),
		evaltest.NewGate("odd").With("version", nil).Rule(evaltest.NewRule("r").Without("salt").WhenHash("gone")),
	).With("time", 9).Without("response_format")
	decoded, err := eval.Decode(d.JSON(t))
	if err != nil {
		t.Fatal(err)
	}
	if problems := decoded.Problems(); len(problems) != 1 || problems[0].Name != "bad" {
		t.Errorf("problems %+v, want one of bad", problems)
	}
}
