package events

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestSamplingSettingsAreReadFromTheDocument(t *testing.T) {
	rate := func(n int64) *int64 { return &n }
	tests := map[string]struct {
		settings string
		want     Sampling
	}{
		"no settings ask for nothing":                 {settings: ``},
		"none is no sampling":                         {settings: `{"sampling_mode":"none","event_queue_size":2000}`},
		"an unknown mode is no sampling":              {settings: `{"sampling_mode":"ON"}`},
		"a mode that is no text is no sampling":       {settings: `{"sampling_mode":true}`},
		"sampling may be on":                          {settings: `{"sampling_mode":"on"}`, want: Sampling{Mode: SamplingOn}},
		"sampling may only be shown":                  {settings: `{"sampling_mode":"shadow"}`, want: Sampling{Mode: SamplingShadow}},
		"a special rate is read":                      {settings: `{"special_case_sampling_rate":101}`, want: Sampling{SpecialCaseRate: rate(101)}},
		"a fraction of a rate is cut off":             {settings: `{"special_case_sampling_rate":2.9}`, want: Sampling{SpecialCaseRate: rate(2)}},
		"a negative rate is 0":                        {settings: `{"special_case_sampling_rate":-5}`, want: Sampling{SpecialCaseRate: rate(0)}},
		"a rate beyond all numbers is the largest":    {settings: `{"special_case_sampling_rate":1e300}`, want: Sampling{SpecialCaseRate: rate(math.MaxInt64)}},
		"a rate as text is none":                      {settings: `{"special_case_sampling_rate":"101"}`},
		"a rate of null is none":                      {settings: `{"special_case_sampling_rate":null}`},
		"the window is read":                          {settings: `{"exposure_spec_sampling_ttl_ms":5000}`, want: Sampling{FirstExposureWindow: 5 * time.Second}},
		"a window beyond all times does not wrap":     {settings: `{"exposure_spec_sampling_ttl_ms":1e300}`, want: Sampling{FirstExposureWindow: 9_223_372_036_854 * time.Millisecond}},
		"settings that are no object are no settings": {settings: `[1]`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ParseSampling(tc.settings)); diff != "" {
				t.Errorf("settings differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSamplingFollowsTheOfficialSDK(t *testing.T) {
	// Nobody is in a sample of one in 2^62, and everybody in one of one in 1.
	const never, always = 1 << 62, 1
	special := int64(never)
	plain := eval.Result{Ref: eval.Ref{Kind: eval.KindGate, Name: "g"}, RuleID: "r", SamplingRate: -1}
	rated := func(rate int64) eval.Result { return with(plain, func(r *eval.Result) { r.SamplingRate = rate }) }
	tests := map[string]struct {
		settings Sampling
		result   eval.Result
		want     string // statsigMetadata of the second exposure; "" when it is left out
	}{
		"without a mode everything is logged":              {result: rated(never), want: `{}`},
		"a rule without rate is logged with null":          {settings: Sampling{Mode: SamplingOn}, result: plain, want: `{"samplingRate":null,"samplingMode":"on","shadowLogged":"logged"}`},
		"what is in the sample is logged":                  {settings: Sampling{Mode: SamplingOn}, result: rated(always), want: `{"samplingRate":1,"samplingMode":"on","shadowLogged":"logged"}`},
		"what is not is left out":                          {settings: Sampling{Mode: SamplingOn}, result: rated(never)},
		"a rate of 0 leaves everything out":                {settings: Sampling{Mode: SamplingOn}, result: rated(0)},
		"in shadow mode what is in the sample is marked":   {settings: Sampling{Mode: SamplingShadow}, result: rated(always), want: `{"samplingRate":1,"samplingMode":"shadow","shadowLogged":"logged"}`},
		"in shadow mode what is not is logged as dropped":  {settings: Sampling{Mode: SamplingShadow}, result: rated(never), want: `{"samplingRate":4611686018427387904,"samplingMode":"shadow","shadowLogged":"dropped"}`},
		"a spec can forward all of its exposures":          {settings: Sampling{Mode: SamplingOn}, result: with(rated(never), func(r *eval.Result) { r.ForwardAllExposures = true }), want: `{}`},
		"a gate for analysis forces the exposure":          {settings: Sampling{Mode: SamplingOn}, result: with(rated(never), func(r *eval.Result) { r.HasSeenAnalyticalGates = true }), want: `{}`},
		"the special rate is that of default":              {settings: Sampling{Mode: SamplingOn, SpecialCaseRate: &special}, result: with(rated(always), func(r *eval.Result) { r.RuleID = "default" })},
		"the special rate is that of disabled":             {settings: Sampling{Mode: SamplingOn, SpecialCaseRate: &special}, result: with(plain, func(r *eval.Result) { r.RuleID = "disabled" })},
		"the special rate is that of no rule":              {settings: Sampling{Mode: SamplingOn, SpecialCaseRate: &special}, result: with(plain, func(r *eval.Result) { r.RuleID = "" })},
		"the special rate is not that of another rule":     {settings: Sampling{Mode: SamplingOn, SpecialCaseRate: &special}, result: rated(always), want: `{"samplingRate":1,"samplingMode":"on","shadowLogged":"logged"}`},
		"without special rate the rule's own one is taken": {settings: Sampling{Mode: SamplingOn}, result: with(rated(always), func(r *eval.Result) { r.RuleID = "default" }), want: `{"samplingRate":1,"samplingMode":"on","shadowLogged":"logged"}`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSampler(10)
			s.set(tc.settings)
			first := Exposure{Result: tc.result, Unit: "first"}
			if mark, isLogged := s.decide(&first, testEpoch); !isLogged || mark != (samplingMark{}) {
				t.Errorf("the first exposure by a rule: logged %t, mark %+v, want it without a mark", isLogged, mark)
			}
			e := Exposure{Result: tc.result, Unit: "second"}
			mark, isLogged := s.decide(&e, testEpoch)
			if isLogged != (tc.want != "") {
				t.Fatalf("logged = %t, want %t", isLogged, tc.want != "")
			}
			if got := string(appendSamplingMark(nil, mark)); isLogged && got != tc.want {
				t.Errorf("mark %s, want %s", got, tc.want)
			}
			if _, sampledOut := s.stats(); (sampledOut == 1) == isLogged {
				t.Errorf("%d exposures counted as sampled out", sampledOut)
			}
		})
	}
}

func TestTheFirstExposureByARuleIsLoggedOncePerWindow(t *testing.T) {
	sampled := func(name, rule string) Exposure {
		return Exposure{Result: eval.Result{Ref: eval.Ref{Kind: eval.KindGate, Name: name}, RuleID: rule}}
	}
	layer := Exposure{Result: eval.Result{Ref: eval.Ref{Kind: eval.KindLayer, Name: "a"}, RuleID: "r"}, Parameter: "p"}
	type step struct {
		exposure Exposure
		at       time.Duration
		want     bool
	}
	tests := map[string]struct {
		limit int
		steps []step
	}{
		"each rule of each entity has its own": {limit: 10, steps: []step{
			{exposure: sampled("a", "r"), want: true}, {exposure: sampled("a", "s"), want: true}, {exposure: sampled("b", "r"), want: true},
			{exposure: layer, want: true}, {exposure: sampled("a", "r")}, {exposure: sampled("b", "r")}, {exposure: layer},
		}},
		"a window begins with the first exposure after the one before": {limit: 10, steps: []step{
			{exposure: sampled("a", "r"), want: true},
			{exposure: sampled("b", "r"), at: 50 * time.Second, want: true},
			{exposure: sampled("a", "r"), at: 60 * time.Second},
			{exposure: sampled("a", "r"), at: 61 * time.Second, want: true},
			{exposure: sampled("b", "r"), at: 62 * time.Second, want: true},
			{exposure: sampled("a", "r"), at: 121 * time.Second},
		}},
		"a full set begins a new window": {limit: 2, steps: []step{
			{exposure: sampled("a", "r"), want: true}, {exposure: sampled("b", "r"), want: true}, {exposure: sampled("c", "r"), want: true},
			{exposure: sampled("c", "r")}, {exposure: sampled("a", "r"), want: true},
		}},
		"a clock set back begins one too": {limit: 10, steps: []step{
			{exposure: sampled("a", "r"), at: time.Hour, want: true}, {exposure: sampled("a", "r"), want: true}, {exposure: sampled("a", "r")},
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSampler(tc.limit)
			s.set(Sampling{Mode: SamplingOn})
			for i, step := range tc.steps {
				if _, got := s.decide(&step.exposure, testEpoch.Add(step.at)); got != step.want {
					t.Errorf("step %d: logged = %t, want %t", i, got, step.want)
				}
			}
			if keys, _ := s.stats(); keys > tc.limit {
				t.Errorf("%d rules remembered, want at most %d", keys, tc.limit)
			}
		})
	}
}

// The bounds are those of the official SDK's own test: of 2,010 users about ten are in a sample of one in 201.
func TestASampleHasAboutItsSizeAndIsTheSameEverywhere(t *testing.T) {
	const users, least, most = 2010, 3, 19
	gate := eval.Result{Ref: eval.Ref{Kind: eval.KindGate, Name: "g"}, RuleID: "r", SamplingRate: 201, Pass: true}
	layer := with(gate, func(r *eval.Result) { r.Kind = eval.KindLayer })
	sample := func(exposure func(i int) Exposure, from int) map[int]bool {
		s := newSampler(10)
		s.set(Sampling{Mode: SamplingOn})
		first := exposure(-1)
		s.decide(&first, testEpoch)
		in := map[int]bool{}
		for i := range users {
			i := (i + from) % users
			e := exposure(i)
			if _, isLogged := s.decide(&e, testEpoch); isLogged {
				in[i] = true
			}
		}
		return in
	}
	for name, exposure := range map[string]func(i int) Exposure{
		"by units":    func(i int) Exposure { return Exposure{Result: gate, Unit: fmt.Sprintf("shop/checkout-%d", i)} },
		"by user IDs": func(i int) Exposure { return Exposure{Result: gate, User: fmt.Appendf(nil, `{"userID":"u%d"}`, i)} },
		"by custom IDs": func(i int) Exposure {
			return Exposure{Result: gate, User: fmt.Appendf(nil, `{"customIDs":{"pod":"%d"}}`, i)}
		},
		"by parameters": func(i int) Exposure { return Exposure{Result: layer, Unit: "u", Parameter: fmt.Sprintf("p%d", i)} },
	} {
		t.Run(name, func(t *testing.T) {
			got := sample(exposure, 0)
			if len(got) < least || len(got) > most {
				t.Errorf("%d of %d are in the sample, want %d to %d", len(got), users, least, most)
			}
			if diff := cmp.Diff(got, sample(exposure, users/2)); diff != "" {
				t.Errorf("another sampler, asked in another order, takes others:\n%s", diff)
			}
		})
	}
}

func TestTheSampleIsTakenByWhatWasExposedToWhom(t *testing.T) {
	gate := Exposure{Result: gateResult(), User: []byte(`{"userID":"u","customIDs":{"a":"1"}}`)}
	config := gate
	config.Result.Kind = eval.KindDynamicConfig
	layer := gate
	layer.Result.Kind, layer.Parameter = eval.KindLayer, "p"
	tests := map[string]struct {
		exposure Exposure
		change   func(e *Exposure)
		want     bool // that the key is the same
	}{
		"attributes do not count": {exposure: gate, want: true, change: func(e *Exposure) {
			e.User = []byte(`{"userID":"u","email":"x","customIDs":{"a":"1"},"custom":{"replicas":3}}`)
		}},
		"the user ID counts":           {exposure: gate, change: func(e *Exposure) { e.User = []byte(`{"userID":"v","customIDs":{"a":"1"}}`) }},
		"custom IDs count":             {exposure: gate, change: func(e *Exposure) { e.User = []byte(`{"userID":"u","customIDs":{"a":"2"}}`) }},
		"the gate's value counts":      {exposure: gate, change: func(e *Exposure) { e.Result.Pass = false }},
		"the name counts":              {exposure: gate, change: func(e *Exposure) { e.Result.Name = "other" }},
		"the rule counts":              {exposure: gate, change: func(e *Exposure) { e.Result.RuleID = "other" }},
		"a layer's parameter counts":   {exposure: layer, change: func(e *Exposure) { e.Parameter = "q" }},
		"a config's parameter doesn't": {exposure: config, want: true, change: func(e *Exposure) { e.Parameter = "q" }},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			changed := tc.exposure
			tc.change(&changed)
			if got := tc.exposure.samplingKey(tc.exposure.ruleKey()) == changed.samplingKey(changed.ruleKey()); got != tc.want {
				t.Errorf("keys equal = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestTheMemoryOfSamplingHasABound(t *testing.T) {
	for _, size := range []int{-1, maxDedupeSize + 1} {
		o := Options{Disabled: true, Now: time.Now, SamplingSize: size}
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), "SamplingSize") {
			t.Errorf("New with size %d = %v, want an error that names the option", size, err)
		}
	}
}

// A project with the settings and the rules that the recorded behaviour was seen with.
func TestSampledProject(t *testing.T) {
	rule := func(rate any) *evaltest.RuleBuilder { return evaltest.NewRule("r").With("samplingRate", rate) }
	snapshot := evaltest.Compile(t, evaltest.NewDocument(
		evaltest.NewGate("sampled").Rule(rule(201)),
		evaltest.NewGate("forwarded").Rule(rule(201)).With("forwardAllExposures", true),
	).With("sdk_configs", map[string]any{"sampling_mode": "on", "special_case_sampling_rate": 101}))
	evaluator := eval.NewEvaluator(snapshot, eval.Options{})
	const users = 400
	events, stats := capture(t, Options{}, func(_ *testing.T, l *Logger) {
		l.SetSampling(ParseSampling(snapshot.SDKConfigs()))
		for i := range users {
			user := eval.NewUser(eval.UserAttributes{UserID: fmt.Sprintf("u%d", i)})
			for _, name := range []string{"sampled", "forwarded"} {
				l.Expose(Exposure{
					Result: evaluator.Evaluate(eval.Ref{Kind: eval.KindGate, Name: name}, user, testEpoch, nil),
					User:   evaluator.LoggableUser(nil, user),
				})
			}
		}
	})
	logged := map[string]int{}
	for _, e := range events {
		gate := e["metadata"].(map[string]any)["gate"].(string)
		mark := e["statsigMetadata"].(map[string]any)
		logged[fmt.Sprint(gate, " ", mark)]++
	}
	const marked = "sampled map[samplingMode:on samplingRate:201 shadowLogged:logged]"
	if logged["forwarded map[]"] != users || logged["sampled map[]"] != 1 || logged[marked] < 1 || logged[marked] > 9 || len(logged) != 3 {
		t.Errorf("logged %v", logged)
	}
	if want := int64(users - 1 - logged[marked]); stats.SampledOut != want || stats.SamplingKeys != 1 {
		t.Errorf("sampled out %d, keys %d, want %d, 1", stats.SampledOut, stats.SamplingKeys, want)
	}
}

func TestSamplingCanBeSwitchedOffAgain(t *testing.T) {
	s := newSampler(10)
	s.set(Sampling{Mode: SamplingOn})
	s.set(Sampling{})
	e := Exposure{Result: with(gateResult(), func(r *eval.Result) { r.SamplingRate = 1 << 62 })}
	for range 2 {
		if mark, isLogged := s.decide(&e, testEpoch); !isLogged || mark != (samplingMark{}) {
			t.Errorf("logged %t with mark %+v", isLogged, mark)
		}
	}
	if keys, _ := s.stats(); keys != 0 {
		t.Errorf("%d rules remembered", keys)
	}
}
