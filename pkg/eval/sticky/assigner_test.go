package sticky_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/eval/sticky"
)

var now = time.UnixMilli(1_768_478_400_000)

// storage keeps values as JSON, as one outside of the process does. Its errors come from one operation each.
type storage struct {
	kept                        map[string]string // by key and name
	loadErr, saveErr, deleteErr error
	loads, saves, deletes       int
}

func (s *storage) Load(_ context.Context, key string) (map[string]eval.StickyValue, error) {
	s.loads++
	if s.loadErr != nil {
		return nil, s.loadErr
	}
	var values map[string]eval.StickyValue
	for at, text := range s.kept {
		var v eval.StickyValue
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return nil, err
		}
		if name, ok := cutKey(at, key); ok {
			if values == nil {
				values = map[string]eval.StickyValue{}
			}
			values[name] = v
		}
	}
	return values, nil
}

func cutKey(at, key string) (name string, ok bool) {
	if len(at) <= len(key) || at[:len(key)+1] != key+"/" {
		return "", false
	}
	return at[len(key)+1:], true
}

func (s *storage) Save(_ context.Context, key, name string, v eval.StickyValue) error {
	s.saves++
	if s.saveErr != nil {
		return s.saveErr
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if s.kept == nil {
		s.kept = map[string]string{}
	}
	s.kept[key+"/"+name] = string(text)
	return nil
}

func (s *storage) Delete(_ context.Context, key, name string) error {
	s.deletes++
	if s.deleteErr != nil {
		return s.deleteErr
	}
	delete(s.kept, key+"/"+name)
	return nil
}

// evaluator has an experiment whose group is that of the rollout's stage.
func evaluator(t *testing.T, active bool, group string) *eval.Evaluator {
	t.Helper()
	d := evaltest.NewDocument(
		evaltest.NewGate("gate").Rule(evaltest.NewRule("r")),
		evaltest.NewExperiment("exp").With("isActive", active).Rule(
			evaltest.NewRule(group).Group(group).Return(map[string]any{"v": group}).With("isExperimentGroup", true)))
	return eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{})
}

var experiment = eval.Ref{Kind: eval.KindExperiment, Name: "exp"}

func assign(t *testing.T, s *storage, e *eval.Evaluator, ref eval.Ref) (eval.Result, error) {
	t.Helper()
	u := eval.NewUser(eval.UserAttributes{UserID: "u"})
	live := e.Evaluate(ref, u, now, &eval.Recorder{})
	return sticky.NewAssigner(s, sticky.Options{}).Assign(context.Background(), e, live, u, now)
}

func TestAUserKeepsTheFirstGroupWhileTheExperimentRuns(t *testing.T) {
	s := &storage{}
	steps := []struct {
		active    bool
		group     string
		wantGroup string
		wantKept  int
	}{
		{active: true, group: "Control", wantGroup: "Control", wantKept: 1},
		{active: true, group: "Test", wantGroup: "Control", wantKept: 1},
		{active: false, group: "Test", wantGroup: "Test", wantKept: 0},
		{active: true, group: "Test", wantGroup: "Test", wantKept: 1},
	}
	for i, step := range steps {
		got, err := assign(t, s, evaluator(t, step.active, step.group), experiment)
		if err != nil {
			t.Fatal(err)
		}
		if got.GroupName != step.wantGroup || len(s.kept) != step.wantKept {
			t.Errorf("step %d: group %s with %d values kept, want %s with %d",
				i, got.GroupName, len(s.kept), step.wantGroup, step.wantKept)
		}
	}
	want := map[string]string{"u:userID/exp": `{"value":true,"json_value":{"v":"Test"},"rule_id":"Test","group_name":"Test",` +
		`"secondary_exposures":[],"undelegated_secondary_exposures":null,"config_delegate":null,"explicit_parameters":null,` +
		`"time":1,"config_version":1}`}
	if diff := cmp.Diff(want, s.kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestTheStorageIsLeftAloneWhereNothingSticks(t *testing.T) {
	s := &storage{}
	got, err := assign(t, s, evaluator(t, true, "Test"), eval.Ref{Kind: eval.KindGate, Name: "gate"})
	if err != nil || !got.Pass {
		t.Errorf("gate = %t, %v", got.Pass, err)
	}
	if s.loads+s.saves+s.deletes != 0 {
		t.Errorf("%d loads, %d saves and %d deletions, want none", s.loads, s.saves, s.deletes)
	}
}

func TestAFailingStorageStillGivesAnAnswer(t *testing.T) {
	broken := errors.New("broken")
	kept := func() map[string]string { return map[string]string{"u:userID/exp": `{"group_name":"Kept","time":1}`} }
	tests := map[string]struct {
		storage *storage
		active  bool
		want    string
	}{
		"that doesn't load":   {storage: &storage{kept: kept(), loadErr: broken}, active: true, want: "Test"},
		"that doesn't save":   {storage: &storage{saveErr: broken}, active: true, want: "Test"},
		"that doesn't delete": {storage: &storage{kept: kept(), deleteErr: broken}, want: "Test"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := assign(t, tc.storage, evaluator(t, tc.active, "Test"), experiment)
			if !errors.Is(err, broken) || got.GroupName != tc.want {
				t.Errorf("group %s, error %v; want %s and %v", got.GroupName, err, tc.want, broken)
			}
		})
	}
}
