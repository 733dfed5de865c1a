package ofrep

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// evaluatedAt is when tests evaluate.
var evaluatedAt = time.UnixMilli(1_700_000_000_000)

const flags = "/ofrep/v1/evaluate/flags"

// shop is a project with one entity of each kind.
func shop() *evaltest.Document {
	return evaltest.NewDocument(
		evaltest.NewGate("on").Rule(evaltest.NewRule("everyone").When(evaltest.Public())),
		evaltest.NewGate("staff").Rule(evaltest.NewRule("mail").When(evaltest.UserField("email", "str_ends_with_any", "@example.com"))),
		evaltest.NewGate("half").Rule(evaltest.NewRule("share").When(evaltest.Public()).Percent(50)),
		evaltest.NewGate("off").Disabled(),
		evaltest.NewGate("odd").Rule(evaltest.NewRule("odd").When(evaltest.NewCondition("horoscope"))),
		evaltest.NewDynamicConfig("limits").Rule(
			evaltest.NewRule("gold").With("groupName", "Gold").When(evaltest.PassGate("staff")).Return(map[string]any{"rps": 300, "name": "gold"}),
		).Default(map[string]any{"rps": 100.5, "name": nil, "tiers": map[string]any{"a": 1}, "list": []any{1}}),
		evaltest.NewExperiment("color").Rule(
			evaltest.NewRule("test").Group("Test").When(evaltest.Public()).Return(map[string]any{"shade": "blue"}),
		).With("explicitParameters", []any{"shade"}),
		evaltest.NewLayer("ranking").Default(map[string]any{"model": "base"}).Rule(
			evaltest.NewRule("delegated").When(evaltest.Public()).Delegate("color"),
		),
	).Store("ui", map[string]any{
		"theme": evaltest.FromGate("on", "modern", "classic"), "title": evaltest.Static("Shop"), "nothing": evaltest.Static(nil),
		"shade": evaltest.FromLayer("ranking", "shade"),
	})
}

// fixture is a handler with what it was told.
type fixture struct {
	*Handler
	project Project
	exposed []Exposure
}

func newFixture(t testing.TB, d *evaltest.Document, o eval.Options) *fixture {
	t.Helper()
	f := &fixture{project: Project{Evaluator: eval.NewEvaluator(evaltest.Compile(t, d), o), Version: "v1"}}
	f.project.Expose = func(e Exposure) { f.exposed = append(f.exposed, e) }
	var err error
	f.Handler, err = New(Options{
		Project: func(*http.Request) Project { return f.project }, Now: func() time.Time { return evaluatedAt },
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) post(path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func TestAFlagIsAnsweredWithValueReasonVariantAndMetadata(t *testing.T) {
	const alice, nobody = `{"context":{"targetingKey":"alice","email":"alice@example.com"}}`, `{}`
	tests := map[string]struct {
		key, body, want string
	}{
		"a gate for everyone is static": {key: "on", body: nobody,
			want: `{"key":"on","value":true,"reason":"STATIC","variant":"true","metadata":{"kind":"gate","ruleID":"everyone"}}`},
		"a gate by an attribute is a match": {key: "staff", body: alice,
			want: `{"key":"staff","value":true,"reason":"TARGETING_MATCH","variant":"true","metadata":{"kind":"gate","ruleID":"mail"}}`},
		"a gate without a match is the default": {key: "staff", body: nobody,
			want: `{"key":"staff","value":false,"reason":"DEFAULT","variant":"false","metadata":{"kind":"gate","ruleID":"default"}}`},
		"a share of users is a split, also for those who are not in it": {key: "half", body: alice,
			want: `{"key":"half","value":false,"reason":"SPLIT","variant":"false","metadata":{"kind":"gate","ruleID":"share"}}`},
		"a disabled gate keeps Statsig's value, which clients drop for the reason DISABLED": {key: "off", body: alice,
			want: `{"key":"off","value":false,"reason":"DEFAULT","variant":"false","metadata":{"kind":"gate","ruleID":"disabled"}}`},
		"a config is an object with its group": {key: "limits", body: alice,
			want: `{"key":"limits","value":{"name":"gold","rps":300},"reason":"TARGETING_MATCH","variant":"Gold",` +
				`"metadata":{"kind":"dynamicConfig","ruleID":"gold","groupName":"Gold"}}`},
		"a parameter has its own type and spelling": {key: "limits.rps", body: nobody,
			want: `{"key":"limits.rps","value":100.5,"reason":"DEFAULT","variant":"default","metadata":{"kind":"dynamicConfig","ruleID":"default"}}`},
		"a parameter can be an object": {key: "limits.tiers", body: nobody,
			want: `{"key":"limits.tiers","value":{"a":1},"reason":"DEFAULT","variant":"default","metadata":{"kind":"dynamicConfig","ruleID":"default"}}`},
		"a parameter that is null leaves it to the code": {key: "limits.name", body: nobody,
			want: `{"key":"limits.name","reason":"DEFAULT","variant":"default","metadata":{"kind":"dynamicConfig","ruleID":"default"}}`},
		"a parameter that isn't there leaves it to the code": {key: "limits.burst", body: alice,
			want: `{"key":"limits.burst","reason":"DEFAULT","variant":"Gold","metadata":{"kind":"dynamicConfig","ruleID":"gold","groupName":"Gold"}}`},
		"an experiment's group is a split": {key: "color", body: alice,
			want: `{"key":"color","value":{"shade":"blue"},"reason":"SPLIT","variant":"Test","metadata":{"kind":"experiment","ruleID":"test","groupName":"Test"}}`},
		"a layer's parameter names the experiment": {key: "ranking.shade", body: alice,
			want: `{"key":"ranking.shade","value":"blue","reason":"SPLIT","variant":"Test",` +
				`"metadata":{"kind":"layer","ruleID":"test","groupName":"Test","experiment":"color"}}`},
		"a store's parameter is read from its gate": {key: "ui.theme", body: alice,
			want: `{"key":"ui.theme","value":"modern","reason":"STATIC","variant":"true","metadata":{"kind":"parameterStore","ruleID":"everyone"}}`},
		"a store's own parameter is static": {key: "ui.title", body: alice,
			want: `{"key":"ui.title","value":"Shop","reason":"STATIC","metadata":{"kind":"parameterStore"}}`},
		"a store's null leaves it to the code": {key: "ui.nothing", body: alice,
			want: `{"key":"ui.nothing","reason":"DEFAULT","metadata":{"kind":"parameterStore"}}`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t, shop(), eval.Options{}).post(flags+"/"+tc.key, tc.body)
			if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("status %d with Content-Type %q, want 200 with JSON", w.Code, w.Header().Get("Content-Type"))
			}
			if diff := cmp.Diff(tc.want, w.Body.String()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatCannotBeAnsweredSaysWhy(t *testing.T) {
	const nobody = `{"context":{}}`
	tests := map[string]struct {
		method, path, body string
		notReady           bool
		wantStatus         int
		want               string
	}{
		"an unknown flag": {path: flags + "/none", body: nobody, wantStatus: 404,
			want: `{"key":"none","errorCode":"FLAG_NOT_FOUND","errorDetails":"the project has no such gate, dynamic config, experiment or parameter"}`},
		"a flag without a key": {path: flags + "/", body: nobody, wantStatus: 404,
			want: `{"key":"","errorCode":"FLAG_NOT_FOUND","errorDetails":"the project has no such gate, dynamic config, experiment or parameter"}`},
		"a whole layer": {path: flags + "/ranking", body: nobody, wantStatus: 404,
			want: `{"key":"ranking","errorCode":"FLAG_NOT_FOUND","errorDetails":"a layer has no value as a whole: ask for layer:ranking.PARAMETER"}`},
		"a whole store": {path: flags + "/parameterStore:ui", body: nobody, wantStatus: 404,
			want: `{"key":"parameterStore:ui","errorCode":"FLAG_NOT_FOUND","errorDetails":"a parameterStore has no value as a whole: ` +
				`ask for parameterStore:ui.PARAMETER"}`},
		"an unknown parameter of a store": {path: flags + "/ui.none", body: nobody, wantStatus: 404,
			want: `{"key":"ui.none","errorCode":"FLAG_NOT_FOUND","errorDetails":"the project has no such gate, dynamic config, experiment or parameter"}`},
		"a share of the users, for a user without an ID": {path: flags + "/half", body: nobody, wantStatus: 400,
			want: `{"key":"half","errorCode":"TARGETING_KEY_MISSING","errorDetails":"a rule divides users by their user ID: the context needs a targetingKey"}`},
		"a rule that is not known here": {path: flags + "/odd", body: nobody, wantStatus: 400,
			want: `{"key":"odd","errorCode":"GENERAL","errorDetails":"a rule needs an operator or condition that is not known here"}`},
		"a body that is no JSON": {path: flags + "/on", body: `{"context":`, wantStatus: 400,
			want: `{"key":"on","errorCode":"PARSE_ERROR","errorDetails":"the body is not JSON: unexpected end of JSON input at byte 11"}`},
		"no body": {path: flags + "/on", wantStatus: 400,
			want: `{"key":"on","errorCode":"PARSE_ERROR","errorDetails":"the body is not JSON: unexpected end of JSON input at byte 0"}`},
		"a context that is no object": {path: flags + "/on", body: `{"context":"alice"}`, wantStatus: 400,
			want: `{"key":"on","errorCode":"INVALID_CONTEXT","errorDetails":"the context is no object"}`},
		"a project without specs": {path: flags + "/on", body: nobody, notReady: true, wantStatus: 500,
			want: `{"key":"on","errorCode":"PROVIDER_NOT_READY","errorDetails":"the project has no config specs yet"}`},
		"a project without specs, for all flags": {path: flags, body: nobody, notReady: true, wantStatus: 500,
			want: `{"errorDetails":"the project has no config specs yet"}`},
		"a broken body, for all flags": {path: flags, body: `[]`, wantStatus: 400,
			want: `{"errorCode":"PARSE_ERROR","errorDetails":"the body is no object like {\"context\":{\"targetingKey\":\"…\"}}"}`},
		"a broken context, for all flags": {path: flags, body: `{"context":{"targetingKey":1}}`, wantStatus: 400,
			want: `{"errorCode":"INVALID_CONTEXT","errorDetails":"attribute \"targetingKey\" is a number, want a string"}`},
		"another method": {method: http.MethodGet, path: flags, wantStatus: 405, want: `{"errorDetails":"OFREP is asked by POST"}`},
		"another path": {path: "/ofrep/v1/configuration", body: nobody, wantStatus: 404,
			want: `{"errorDetails":"OFREP has /ofrep/v1/evaluate/flags and /ofrep/v1/evaluate/flags/{key}"}`},
		"a path that begins alike": {path: flags + "hip", body: nobody, wantStatus: 404,
			want: `{"errorDetails":"OFREP has /ofrep/v1/evaluate/flags and /ofrep/v1/evaluate/flags/{key}"}`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, shop(), eval.Options{})
			if tc.notReady {
				f.project = Project{}
			}
			if tc.method == "" {
				tc.method = http.MethodPost
			}
			w := httptest.NewRecorder()
			f.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, strings.NewReader(tc.body)))
			if w.Code != tc.wantStatus {
				t.Errorf("status %d, want %d", w.Code, tc.wantStatus)
			}
			if diff := cmp.Diff(tc.want, w.Body.String()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if w.Header().Get("Etag") != "" || len(f.exposed) > 0 {
				t.Errorf("ETag %q and %d exposures, want none for what isn't answered", w.Header().Get("Etag"), len(f.exposed))
			}
		})
	}
}

func TestTheHandlerWorksUnderAnyPrefix(t *testing.T) {
	f := newFixture(t, shop(), eval.Options{})
	for _, path := range []string{"/projects/shop/checkout" + flags + "/on", "/x" + flags + "/gate:on", flags + "/gate%3Aon"} {
		if w := f.post(path, `{}`); w.Code != http.StatusOK {
			t.Errorf("%s is answered %d, want 200: %s", path, w.Code, w.Body)
		}
	}
}

func TestNewRefusesWhatIsMissingOrOutOfBounds(t *testing.T) {
	project, now := func(*http.Request) Project { return Project{} }, func() time.Time { return evaluatedAt }
	tests := map[string]struct {
		options Options
		want    string
	}{
		"no project":      {options: Options{Now: now}, want: "options Project and Now are required"},
		"no clock":        {options: Options{Project: project}, want: "options Project and Now are required"},
		"a tiny body":     {options: Options{Project: project, Now: now, MaxBodyBytes: 1023}, want: "option MaxBodyBytes is 1023, want 1024 to 1048576"},
		"a huge body":     {options: Options{Project: project, Now: now, MaxBodyBytes: 1<<20 + 1}, want: "option MaxBodyBytes is 1048577, want 1024 to 1048576"},
		"a negative body": {options: Options{Project: project, Now: now, MaxBodyBytes: -1}, want: "option MaxBodyBytes is -1, want 1024 to 1048576"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := New(tc.options); err == nil || err.Error() != tc.want {
				t.Errorf("New = %v, want %s", err, tc.want)
			}
		})
	}
}
