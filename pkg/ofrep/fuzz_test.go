package ofrep

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// FuzzParse feeds bodies. Those that are taken must be JSON to encoding/json as well, and must be the same user however
// the text is laid out.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"context":null}`, `{"context":{"targetingKey":"alice","email":"a@b.c","level":1e3,"tags":["a",{"b":null}]}}`,
		`{"context":{"customIDs":{"companyID":"c"},"privateAttributes":{"p":1},"custom":{"x":true},"statsigEnvironment":{"tier":"t"}}}`,
		`{"context":{"a":1e999}}`, `{"context":{"targetingKey":7}}`, `[[[`, `{"context":{"\u0061":"\ud800"}}`, "{\"a\":\"\xff\"}", `{"context":{},"context":[]}`,
	} {
		f.Add(seed)
	}
	e := newFixture(f, shop(), eval.Options{GlobalCustomFields: map[string]any{"region": "eu"}}).project.Evaluator
	f.Fuzz(func(t *testing.T, body string) {
		got, problem := parse(body)
		if problem != nil {
			if problem.status != http.StatusBadRequest || problem.code == "" || problem.details == "" || !utf8.ValidString(problem.details) {
				t.Errorf("%q is refused with %+v", body, problem)
			}
			return
		}
		if !json.Valid([]byte(body)) {
			t.Fatalf("%q is taken, and no JSON", body)
		}
		user := e.LoggableUser(nil, got.user)
		if !json.Valid(user) {
			t.Errorf("%q is the user %s", body, user)
		}
		again, problem := parse(gjson.Get(`{"pretty":`+body+`}`, "pretty|@pretty").Raw)
		if problem != nil {
			t.Fatalf("%q is refused once it is laid out anew: %+v", body, problem)
		}
		if laidOut := e.LoggableUser(nil, again.user); string(laidOut) != string(user) {
			t.Errorf("%q is the user %s, and %s once it is laid out anew", body, user, laidOut)
		}
	})
}

// FuzzHandler asks for odd keys. What is answered must be of the protocol's form.
func FuzzHandler(f *testing.F) {
	for _, key := range []string{"on", "half", "limits.rps", "layer:ranking.shade", "ui.title", "a/b", "..", "%2e", "gate:", ".", "\x00"} {
		f.Add(key, `{"context":{"targetingKey":"alice"}}`)
	}
	shop := newFixture(f, shop(), eval.Options{})
	f.Fuzz(func(t *testing.T, key, body string) {
		path := flags + "/" + url.PathEscape(key)
		if !utf8.ValidString(key) {
			t.Skip("keys are text")
		}
		w := shop.post(path, body)
		checkSchema(t, key, w.Code, w.Body.Bytes())
	})
}
