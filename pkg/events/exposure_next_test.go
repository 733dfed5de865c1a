package events

import (
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

func TestNextExposureIsWhenExposeWouldLog(t *testing.T) {
	const repeatEvery = time.Hour
	at := time.Unix(1_767_000_000, 0)
	gate := gateResult()
	overridden := with(gateResult(), func(r *eval.Result) { r.Details.Source = eval.SourceLocalOverride })
	another := with(gateResult(), func(r *eval.Result) { r.Name = "another" })
	for name, tc := range map[string]struct {
		options Options
		// logged says whether the gate was exposed at the start.
		logged bool
		result eval.Result
		asked  time.Duration
		want   time.Duration
		never  bool
	}{
		"What was never logged is due":                {result: gate, asked: time.Minute, want: time.Minute},
		"What was just logged is due when it repeats": {logged: true, result: gate, want: repeatEvery},
		"Asking in between does not put it off":       {logged: true, result: gate, asked: time.Minute, want: repeatEvery},
		"What may be repeated is due":                 {logged: true, result: gate, asked: repeatEvery, want: repeatEvery},
		"What was to be repeated long ago is due now": {logged: true, result: gate, asked: 3 * repeatEvery, want: 3 * repeatEvery},
		"Another entity is due":                       {logged: true, result: another},
		"A value that an override gave is never due":  {result: overridden, never: true},
		"Unless such values are asked for":            {options: Options{ExposeOverridden: true}, result: overridden},
		"What has no evaluation is never due":         {never: true},
		"A layer of which nothing was read is not":    {result: eval.Result{Ref: eval.Ref{Kind: eval.KindLayer, Name: "ranking"}}, never: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLogger(mustOptions(t, tc.options), discardSender{})
			if tc.logged {
				l.Expose(Exposure{Result: gate, Unit: "u", RepeatEvery: repeatEvery, Time: at})
			}
			e := Exposure{Result: tc.result, Unit: "u", RepeatEvery: repeatEvery, Time: at.Add(tc.asked)}
			want := at.Add(tc.want)
			if tc.never {
				want = time.Time{}
			}
			// Asking changes nothing, however often.
			for range 2 {
				if got := l.NextExposure(e); !got.Equal(want) {
					t.Errorf("due at %v, want %v", got, want)
				}
			}
			if isDue := !tc.never && !want.After(e.Time); l.Expose(e) != isDue {
				t.Errorf("exposing it logged it: %t, want %t", !isDue, isDue)
			}
		})
	}
}

func TestTheNextExposureAfterOneThatWasDroppedIsNow(t *testing.T) {
	l := newLogger(mustOptions(t, Options{}), discardSender{})
	e := Exposure{Result: gateResult(), Unit: "u", Time: time.Unix(1_767_000_000, 0)}
	l.Expose(e)
	l.dedupe.forget([]uint64{e.key(l.seed)})
	if got := l.NextExposure(e); !got.Equal(e.Time) {
		t.Errorf("due at %v, want %v", got, e.Time)
	}
}
