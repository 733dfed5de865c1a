package ofrep

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestAContextIsAStatsigUser(t *testing.T) {
	tests := map[string]struct{ context, want string }{
		"the targetingKey is the user ID": {`{"targetingKey":"alice"}`, `{"userID":"alice"}`},
		"userID stands in for it":         {`{"userID":"alice"}`, `{"userID":"alice"}`},
		"the targetingKey wins":           {`{"userID":"bob","targetingKey":"alice"}`, `{"userID":"alice"}`},
		"known attributes": {
			`{"email":"a@b.c","ip":"1.2.3.4","userAgent":"curl","country":"NZ","locale":"en","appVersion":"1.2"}`,
			`{"email":"a@b.c","ip":"1.2.3.4","userAgent":"curl","country":"NZ","locale":"en","appVersion":"1.2"}`,
		},
		"custom IDs":  {`{"customIDs":{"companyID":"c","stableID":null}}`, `{"customIDs":{"companyID":"c"}}`},
		"environment": {`{"statsigEnvironment":{"tier":"staging"}}`, `{"statsigEnvironment":{"tier":"staging"}}`},
		"private attributes stay here": {
			`{"targetingKey":"alice","privateAttributes":{"secret":1}}`, `{"userID":"alice"}`,
		},
		"all others are custom fields, numbers as they are spelled": {
			`{"plan":"pro","level":12345678901234567890,"ratio":1.0,"beta":true,"tags":["a",1],"none":null,"deep":{"a":{"b":[]}}}`,
			`{"custom":{"beta":true,"deep":{"a":{"b":[]}},"level":12345678901234567890,"none":null,"plan":"pro","ratio":1.0,"tags":["a",1]}}`,
		},
		"custom adds to them":              {`{"a":1,"custom":{"b":2},"c":3}`, `{"custom":{"a":1,"b":2,"c":3}}`},
		"of two alike the last counts":     {`{"targetingKey":"alice","targetingKey":"bob"}`, `{"userID":"bob"}`},
		"null is as good as none":          {`{"targetingKey":null,"email":null,"customIDs":null,"custom":null}`, `{}`},
		"an empty text is as good as none": {`{"targetingKey":"","email":""}`, `{}`},
		"no context is an empty one":       {`null`, `{}`},
		"letters may be written as codes":  {`{"targetingKey":"\u0061\ud83d\ude00\"\\"}`, `{"userID":"a😀\"\\"}`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, shop(), eval.Options{})
			if w := f.post(flags+"/on", `{"other":1,"context":`+tc.context+`}`); w.Code != http.StatusOK || len(f.exposed) != 1 {
				t.Fatalf("status %d with %d exposures, want 200 with one: %s", w.Code, len(f.exposed), w.Body)
			}
			got := f.project.Evaluator.LoggableUser(nil, f.exposed[0].User)
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPrivateAttributesAndTheEnvironmentCountForEvaluation(t *testing.T) {
	d := evaltest.NewDocument(
		evaltest.NewGate("secret").Rule(evaltest.NewRule("r").When(evaltest.UserField("secret", "any", "s"))),
		evaltest.NewGate("staging").Rule(evaltest.NewRule("r").When(evaltest.Environment("tier", "any", "staging"))),
	)
	f := newFixture(t, d, eval.Options{Environment: "production"})
	for key, context := range map[string]string{
		"secret": `{"privateAttributes":{"secret":"s"}}`, "staging": `{"statsigEnvironment":{"tier":"staging"}}`,
	} {
		if w := f.post(flags+"/"+key, `{"context":`+context+`}`); !strings.Contains(w.Body.String(), `"value":true`) {
			t.Errorf("%s for %s = %s, want true", key, context, w.Body)
		}
	}
}

func TestAContextOfTheWrongTypesIsRefused(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"a number for the targetingKey":  {`{"context":{"targetingKey":7}}`, `attribute "targetingKey" is a number, want a string`},
		"a boolean for the email":        {`{"context":{"email":true}}`, `attribute "email" is a boolean, want a string`},
		"a list for the country":         {`{"context":{"country":["NZ"]}}`, `attribute "country" is an array, want a string`},
		"an object for the locale":       {`{"context":{"locale":{}}}`, `attribute "locale" is an object, want a string`},
		"a text for custom IDs":          {`{"context":{"customIDs":"c"}}`, `attribute "customIDs" is a string, want an object`},
		"a number for a custom ID":       {`{"context":{"customIDs":{"companyID":7}}}`, `attribute "customIDs.companyID" is a number, want a string`},
		"a list of private attributes":   {`{"context":{"privateAttributes":[]}}`, `attribute "privateAttributes" is an array, want an object`},
		"a text for custom":              {`{"context":{"custom":"x"}}`, `attribute "custom" is a string, want an object`},
		"a number beyond all numbers":    {`{"context":{"level":1e999}}`, `attribute "level" holds a number that is out of range`},
		"such a number within":           {`{"context":{"custom":{"deep":[{"a":-1e999}]}}}`, `attribute "custom" holds a number that is out of range`},
		"a context that is a list":       {`{"context":[]}`, `the context is no object`},
		"a name as long as you like":     {`{"context":{"customIDs":{"` + strings.Repeat("x", 200) + `":1}}}`, fmt.Sprintf(`attribute "customIDs.%s"… is a number, want a string`, strings.Repeat("x", 90))},
		"the first wrong one of several": {`{"context":{"targetingKey":7,"email":7}}`, `attribute "targetingKey" is a number, want a string`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, problem := parse(tc.body)
			if problem == nil {
				t.Fatal("the context is taken")
			}
			if diff := cmp.Diff(failure{400, codeInvalidContext, tc.want}, *problem, cmp.AllowUnexported(failure{})); diff != "" {
				t.Errorf("failure (-want +got):\n%s", diff)
			}
		})
	}
}

func TestABodyThatCannotBeReadIsRefused(t *testing.T) {
	deep := strings.Repeat("[", maxNesting+1)
	tests := map[string]struct{ body, want string }{
		"damaged":           {`{"context":{]}`, `the body is not JSON: invalid character ']' looking for beginning of object key string at byte 13`},
		"text behind":       {`{} {}`, `the body is not JSON: invalid character '{' after top-level value at byte 4`},
		"no UTF-8":          {"{\"context\":{\"a\":\"\xff\"}}", `the body is not UTF-8`},
		"too deep":          {`{"context":` + deep, `the body nests more than 32 levels deep`},
		"a list":            {`[]`, `the body is no object like {"context":{"targetingKey":"…"}}`},
		"too large":         {`{"context":{"a":"` + strings.Repeat("x", defaultMaxBodyBytes) + `"}}`, `the body is larger than 65536 bytes`},
		"larger by a space": {`{}` + strings.Repeat(" ", defaultMaxBodyBytes-1), `the body is larger than 65536 bytes`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, shop(), eval.Options{})
			for _, path := range []string{flags, flags + "/on"} {
				w := f.post(path, tc.body)
				want := string(parseError(tc.want).append(nil, ""))
				if got := w.Body.String(); w.Code != http.StatusBadRequest || !strings.HasSuffix(got, want) {
					t.Errorf("%s is answered %d with %s, want 400 with %s", path, w.Code, got, want)
				}
			}
		})
	}
}

func TestABoundOfTheServerIsNamed(t *testing.T) {
	f := newFixture(t, shop(), eval.Options{})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, flags+"/on", strings.NewReader(`{"context":{}}`))
	w := httptest.NewRecorder()
	r.Body = http.MaxBytesReader(w, r.Body, 5)
	f.ServeHTTP(w, r)
	if want := `"errorDetails":"the body is larger than 5 bytes"`; w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
		t.Errorf("status %d with %s, want 400 with %s", w.Code, w.Body, want)
	}
}

func TestABodyThatEndsEarlyIsRefused(t *testing.T) {
	f := newFixture(t, shop(), eval.Options{})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, flags+"/on", iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(`{}`))))
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if want := `{"key":"on","errorCode":"PARSE_ERROR","errorDetails":"the body ends early"}`; w.Code != http.StatusBadRequest || w.Body.String() != want {
		t.Errorf("status %d with %s, want 400 with %s", w.Code, w.Body, want)
	}
}

func TestABodyMayBeAsLargeAsAllowed(t *testing.T) {
	f := newFixture(t, shop(), eval.Options{})
	if w := f.post(flags+"/on", `{}`+strings.Repeat(" ", defaultMaxBodyBytes-2)); w.Code != http.StatusOK {
		t.Errorf("status %d, want 200: %s", w.Code, w.Body)
	}
	brackets := `{"context":{"a":"` + strings.Repeat(`[{\"`, maxNesting) + `","b":` + strings.Repeat("[", maxNesting-2) +
		strings.Repeat("]", maxNesting-2) + `}}`
	if w := f.post(flags+"/on", brackets); w.Code != http.StatusOK {
		t.Errorf("brackets inside a text are answered %d, want 200: %s", w.Code, w.Body)
	}
}
