package ofrep

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// bulkKeys lists the keys of a bulk answer with value, or error code.
func bulkKeys(body string) (keys []string) {
	gjson.Get(body, "flags").ForEach(func(_, f gjson.Result) bool {
		keys = append(keys, f.Get("key").Str+" "+f.Get("value").Raw+f.Get("errorCode").Str)
		return true
	})
	return keys
}

func TestABulkAnswerHasEveryFlag(t *testing.T) {
	d := shop().Add(evaltest.NewSegment("segment:team"), evaltest.NewHoldout("holdout"))
	f := newFixture(t, d, eval.Options{})
	w := f.post(flags, `{"context":{}}`)
	want := []string{
		"half TARGETING_KEY_MISSING", "odd GENERAL", "off false", "on true", "staff false",
		`limits {"list":[1],"name":null,"rps":100.5,"tiers":{"a":1}}`, `limits.list [1]`, `limits.name `, `limits.rps 100.5`, `limits.tiers {"a":1}`,
		`color {"shade":"blue"}`, `color.shade "blue"`,
		`ranking.shade "blue"`,
		`ui.nothing `, `ui.shade "blue"`, `ui.theme "modern"`, `ui.title "Shop"`,
	}
	if diff := cmp.Diff(want, bulkKeys(w.Body.String())); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
	snapshot := f.project.Evaluator.Snapshot()
	wantMetadata := `{"specsHash":"` + snapshot.Hash() + `","lastConfigUpdate":1}`
	if got := gjson.Get(w.Body.String(), "metadata").Raw; got != wantMetadata {
		t.Errorf("metadata %s, want %s", got, wantMetadata)
	}
	if !json.Valid(w.Body.Bytes()) || w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("status %d with %v, want 200 with JSON: %s", w.Code, w.Header(), w.Body)
	}
	if len(f.exposed) > 0 {
		t.Errorf("%d exposures, want none: nobody knows what will be used", len(f.exposed))
	}
}

func TestAProjectWithoutFlagsIsAnsweredWithNone(t *testing.T) {
	body := newFixture(t, evaltest.NewDocument(), eval.Options{}).post(flags, `{}`).Body.String()
	if !strings.HasPrefix(body, `{"flags":[],"metadata":{`) || !gjson.Valid(body) {
		t.Errorf("answer %s, want no flags", body)
	}
}

func TestBulkAndSingleAnswersAreTheSame(t *testing.T) {
	documents := map[string]*evaltest.Document{"shop": shop(), "namesakes": namesakes()}
	for name, d := range documents {
		for _, context := range []string{`{}`, `{"targetingKey":"alice","email":"alice@example.com"}`} {
			t.Run(name, func(t *testing.T) {
				compareBulk(t, newFixture(t, d, eval.Options{}), `{"context":`+context+`}`)
			})
		}
	}
}

// compareBulk asks for every flag of a bulk answer once more by itself.
func compareBulk(t *testing.T, f *fixture, body string) (compared int) {
	t.Helper()
	w := f.post(flags, body)
	if w.Code != http.StatusOK || !gjson.ValidBytes(w.Body.Bytes()) {
		t.Fatalf("status %d, want 200 with JSON: %s", w.Code, w.Body)
	}
	seen := map[string]bool{}
	gjson.Get(w.Body.String(), "flags").ForEach(func(_, flag gjson.Result) bool {
		compared++
		key := flag.Get("key").Str
		if seen[key] {
			t.Errorf("key %q is there twice", key)
		}
		seen[key] = true
		if got := f.post(flags+"/"+url.PathEscape(key), body).Body.String(); got != flag.Raw {
			t.Errorf("%q by itself and in bulk:\n%s\n%s", key, got, flag.Raw)
		}
		return true
	})
	return compared
}

func TestNamesakesHaveTheirKindInTheKey(t *testing.T) {
	f := newFixture(t, namesakes(), eval.Options{})
	var keys []string
	for _, k := range bulkKeys(f.post(flags, `{}`).Body.String()) {
		key, _, _ := strings.Cut(strings.ReplaceAll(k, "a/b c", "a/b_c"), " ")
		keys = append(keys, key)
	}
	want := []string{
		"a/b_c", "gate:gate:odd", "same", "same.shared",
		"dynamicConfig:layer:x", "dynamicConfig:layer:x.p",
		"dynamicConfig:same", "dynamicConfig:same..x", "dynamicConfig:same.dotted.", "dynamicConfig:same.p", "dynamicConfig:same.shared",
		"same.q", "same.q.r",
		"trial", "trial.p",
		"l.p", "layer:same.only", "layer:same.p",
		"parameterStore:l.p", "parameterStore:l.s", "s.p", "parameterStore:same.p", "parameterStore:same.rest",
	}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestEqualRequestsAreAnsweredByteByByte(t *testing.T) {
	want := newFixture(t, shop(), eval.Options{}).post(flags, `{}`).Body.String()
	for range 20 {
		if got := newFixture(t, shop(), eval.Options{}).post(flags, `{}`).Body.String(); got != want {
			t.Fatalf("answers differ:\n%s\n%s", want, got)
		}
	}
}

func TestABulkAnswerIsBounded(t *testing.T) {
	d := evaltest.NewDocument()
	huge := map[string]any{"text": strings.Repeat("x", maxBulkBytes/8)}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		d.Add(evaltest.NewDynamicConfig(name).Default(huge))
	}
	f := newFixture(t, d, eval.Options{})
	w := f.post(flags, `{}`)
	want := `{"errorCode":"GENERAL","errorDetails":"the project has too many flags for one answer: ask for single ones"}`
	if w.Code != http.StatusBadRequest || w.Body.String() != want || w.Header().Get("Etag") != "" {
		t.Errorf("status %d, ETag %q and %.100s, want 400 and %s", w.Code, w.Header().Get("Etag"), w.Body, want)
	}
	if w := f.post(flags+"/a", `{}`); w.Code != http.StatusOK {
		t.Errorf("a single flag is answered %d, want 200", w.Code)
	}
}
