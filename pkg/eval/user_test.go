package eval_test

import (
	"errors"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestFieldLookup(t *testing.T) {
	tests := map[string]struct {
		field   string
		user    eval.UserAttributes
		globals map[string]any
		want    any
	}{
		"a property is found in any case":               {field: "EMAIL", user: eval.UserAttributes{Email: "x"}, want: "x"},
		"a property comes before a custom field":        {field: "email", user: eval.UserAttributes{Email: "x", Custom: values{"email": "y"}}, want: "x"},
		"a custom field comes before an empty property": {field: "email", user: eval.UserAttributes{Custom: values{"email": "y"}}, want: "y"},
		"a custom field is found by exact name first":   {field: "Level", user: eval.UserAttributes{Custom: values{"Level": "a", "level": "b"}}, want: "a"},
		"a custom field is found in lower case next":    {field: "Level", user: eval.UserAttributes{Custom: values{"level": "b"}}, want: "b"},
		"a custom field isn't found in other cases":     {field: "level", user: eval.UserAttributes{Custom: values{"Level": "a"}}, want: nil},
		"a custom null ends the search":                 {field: "x", user: eval.UserAttributes{Custom: values{"x": nil}, PrivateAttributes: values{"x": "p"}}, want: nil},
		"a global field comes next":                     {field: "x", globals: values{"x": "g"}, user: eval.UserAttributes{PrivateAttributes: values{"x": "p"}}, want: "g"},
		"a custom field comes before a global one":      {field: "x", globals: values{"x": "g"}, user: eval.UserAttributes{Custom: values{"x": "c"}}, want: "c"},
		"a private attribute comes next":                {field: "X", user: eval.UserAttributes{PrivateAttributes: values{"x": "p"}}, want: "p"},
		"an alias comes last":                           {field: "User_ID", user: eval.UserAttributes{UserID: "u"}, want: "u"},
		"a custom field comes before an alias":          {field: "user_id", user: eval.UserAttributes{UserID: "u", Custom: values{"user_id": "c"}}, want: "c"},
		"custom IDs are no fields":                      {field: "companyID", user: eval.UserAttributes{CustomIDs: map[string]string{"companyID": "c"}}, want: nil},
		"of many fields the right one is found": {field: "f9", want: "v9", user: eval.UserAttributes{Custom: values{
			"f0": "v0", "f1": "v1", "f2": "v2", "f3": "v3", "f4": "v4", "f5": "v5", "f6": "v6", "f7": "v7", "f8": "v8", "f9": "v9",
		}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := evaltest.NewDocument(evaltest.NewGate("g").Rule(
				evaltest.NewRule("r").When(evaltest.UserFieldValue(tc.field, "eq", tc.want))))
			if !askWith(t, d, eval.Options{GlobalCustomFields: tc.globals}, eval.KindGate, "g", tc.user).Pass {
				t.Errorf("field %s is not %v", tc.field, tc.want)
			}
		})
	}
}

func TestGoValuesInCustomFields(t *testing.T) {
	type text string
	tests := map[string]struct {
		value  any
		target any
	}{
		"an int":                {value: 5, target: "5"},
		"an int8":               {value: int8(-5), target: "-5"},
		"a uint64":              {value: uint64(5), target: "5"},
		"a large uint64":        {value: uint64(1 << 63), target: "9223372036854776000"},
		"a float32":             {value: float32(0.5), target: "0.5"},
		"a bool":                {value: true, target: true},
		"a named string":        {value: text("x"), target: "x"},
		"a list of strings":     {value: []string{"a", "b"}, target: []any{"a", "b"}},
		"a list as text":        {value: []any{1, 2.0, 0.5, "x", nil, true}, target: `[1,2,0.5,"x",null,true]`},
		"an array of ints":      {value: [2]int{1, 2}, target: "[1,2]"},
		"a map of ints":         {value: map[string]int{"a": 1}, target: values{"a": 1}},
		"a list in a list":      {value: []any{[]int{1}}, target: []any{[]int{1}}},
		"a map in a list":       {value: []any{values{"b": 1, "a": []any{}}}, target: `[{"a":[],"b":1}]`},
		"text that is escaped":  {value: []any{"\"\\\n\r\t\b\f\x01é"}, target: `["\"\\\n\r\t\b\f\u0001é"]`},
		"a channel is null":     {value: make(chan int), target: nil},
		"a map by int is null":  {value: map[int]int{1: 1}, target: nil},
		"a function is null":    {value: func() {}, target: nil},
		"a nil pointer is null": {value: (*int)(nil), target: nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := evaltest.NewDocument(evaltest.NewGate("g").Rule(
				evaltest.NewRule("r").When(evaltest.UserFieldValue("f", "eq", tc.target))))
			u := eval.UserAttributes{Custom: values{"f": tc.value}}
			if !ask(t, d, eval.KindGate, "g", u).Pass {
				t.Errorf("%v doesn't equal %v", tc.value, tc.target)
			}
		})
	}
}

func TestGoValuesThatNestForEverAreCut(*testing.T) {
	list := make([]any, 1)
	list[0] = list
	eval.NewUser(eval.UserAttributes{Custom: values{"f": list, "m": values{"l": list}}})
}

func TestUnitIDs(t *testing.T) {
	u := eval.NewUser(eval.UserAttributes{UserID: "u", CustomIDs: map[string]string{"companyID": "c", "team": "t", "userid": "no"}})
	for idType, want := range map[string]string{
		"userID": "u", "USERID": "u", "userid": "u", "companyID": "c", "companyid": "", "Team": "t", "none": "", "": "",
	} {
		if got := u.CustomID(idType); got != want {
			t.Errorf("CustomID(%q) = %q, want %q", idType, got, want)
		}
	}
	if got := u.UserID(); got != "u" {
		t.Errorf("UserID = %q", got)
	}
}

func TestEnvironment(t *testing.T) {
	d := evaltest.NewDocument(
		evaltest.NewGate("exact").Rule(evaltest.NewRule("r").When(evaltest.Environment("tier", "any", "production"))),
		evaltest.NewGate("upper").Rule(evaltest.NewRule("r").When(evaltest.Environment("TIER", "any", "production"))),
	).With("default_environment", "production")
	own := eval.UserAttributes{Environment: map[string]string{"tier": "staging"}}
	tests := map[string]struct {
		gate        string
		environment string
		user        eval.UserAttributes
		want        bool
	}{
		"the document's default counts":                      {gate: "exact", want: true},
		"the project's environment comes before the default": {gate: "exact", environment: "dev"},
		"the user's comes before the project's":              {gate: "exact", environment: "production", user: own},
		"the project's is found in lower case":               {gate: "upper", want: true},
		"the user's is found by exact name only":             {gate: "upper", user: own, want: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			res := askWith(t, d, eval.Options{Environment: tc.environment}, eval.KindGate, tc.gate, tc.user)
			if res.Pass != tc.want {
				t.Errorf("gate = %t, want %t", res.Pass, tc.want)
			}
		})
	}
}

func TestParseUserAndLoggableUser(t *testing.T) {
	tests := map[string]struct {
		user, want string
		options    eval.Options
	}{
		"an empty user stays empty": {user: `{}`, want: `{}`},
		"everything that may leave is kept": {
			user: `{"userID":"u","email":"e","ip":"1.1.1.1","userAgent":"ua","country":"DE","locale":"de","appVersion":"1.0",` +
				`"customIDs":{"b":"2","a":"1"},"custom":{"z":[1,"x"],"n":1.50},"statsigEnvironment":{"tier":"dev"},"unknown":1}`,
			want: `{"userID":"u","email":"e","ip":"1.1.1.1","userAgent":"ua","country":"DE","locale":"de","appVersion":"1.0",` +
				`"customIDs":{"a":"1","b":"2"},"custom":{"n":1.5,"z":[1,"x"]},"statsigEnvironment":{"tier":"dev"}}`,
		},
		"private attributes stay":     {user: `{"userID":"u","privateAttributes":{"secret":"x"}}`, want: `{"userID":"u"}`},
		"numbers as IDs become texts": {user: `{"userID":7,"customIDs":{"a":5}}`, want: `{"userID":"7","customIDs":{"a":5}}`},
		"the project's fields are filled in": {
			user: `{"custom":{"a":1}}`, want: `{"custom":{"a":1,"b":2},"statsigEnvironment":{"tier":"prod"}}`,
			options: eval.Options{Environment: "prod", GlobalCustomFields: values{"a": 9, "b": 2}},
		},
		"the user's environment replaces the project's": {
			user: `{"statsigEnvironment":{"region":"eu"}}`, want: `{"statsigEnvironment":{"region":"eu"}}`,
			options: eval.Options{Environment: "prod"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			u, err := eval.ParseUser([]byte(tc.user))
			if err != nil {
				t.Fatal(err)
			}
			e := eval.NewEvaluator(evaltest.Compile(t, evaltest.NewDocument()), tc.options)
			if got := string(e.LoggableUser([]byte("x"), u)); got != "x"+tc.want {
				t.Errorf("loggable user %s, want x%s", got, tc.want)
			}
		})
	}
}

func TestParseUserRefusesWhatIsNoUser(t *testing.T) {
	for _, text := range []string{
		"", "null", "[]", `"u"`, `{"userID":`, `{"userID":"u"} x`, `{"custom":[]}`, `{"customIDs":"x"}`, `{"a":1e999}`,
		`{"userID":"\ud800"}`, "{\"userID\":\"\xff\"}",
	} {
		if u, err := eval.ParseUser([]byte(text)); !errors.Is(err, eval.ErrInvalidUser) {
			t.Errorf("ParseUser(%q) = %v, %v; want ErrInvalidUser", text, u, err)
		}
	}
}

func TestANilUserHasNothing(t *testing.T) {
	d := evaltest.NewDocument(evaltest.NewGate("g").Rule(evaltest.NewRule("r").When(evaltest.UserField("email", "none", "x"))))
	e := eval.NewEvaluator(evaltest.Compile(t, d), eval.Options{})
	if !e.Evaluate(eval.Ref{Kind: eval.KindGate, Name: "g"}, nil, evaluatedAt, nil).Pass {
		t.Error("a nil user is not like an empty one")
	}
}

// countingParser counts its calls.
type countingParser struct{ calls *int }

func (p countingParser) Parse(string) eval.UserAgent {
	*p.calls++
	return eval.UserAgent{OSName: "iOS"}
}

// uncomparableParser can't be compared, and so not be recognised in a user's cache.
type uncomparableParser struct{ names []string }

func (p uncomparableParser) Parse(string) eval.UserAgent { return eval.UserAgent{OSName: p.names[0]} }

func TestUserAgentsAreParsedOnceForAUser(t *testing.T) {
	d := evaltest.NewDocument(evaltest.NewGate("g").Rule(
		evaltest.NewRule("r").When(evaltest.UserAgentBased("os_name", "any", "iOS"), evaltest.UserAgentBased("osName", "any", "ios"))))
	s := evaltest.Compile(t, d)
	u := eval.NewUser(eval.UserAttributes{UserAgent: "agent"})
	ref := eval.Ref{Kind: eval.KindGate, Name: "g"}
	calls := 0
	for range 3 {
		e := eval.NewEvaluator(s, eval.Options{UserAgent: countingParser{&calls}})
		if !e.Evaluate(ref, u, evaluatedAt, nil).Pass {
			t.Error("the parsed part doesn't match")
		}
	}
	if calls != 1 {
		t.Errorf("%d calls of the parser, want 1", calls)
	}
	e := eval.NewEvaluator(s, eval.Options{UserAgent: uncomparableParser{names: []string{"Windows"}}})
	if e.Evaluate(ref, u, evaluatedAt, nil).Pass {
		t.Error("another parser's answer was taken")
	}
}
