package ofrep

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/internal/conformance"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// countedLists counts how often an evaluation looks into an ID list.
type countedLists struct{ asked int }

func (l *countedLists) Contains(string, string) bool {
	l.asked++
	return false
}

func listed() *evaltest.Document {
	return evaltest.NewDocument(evaltest.NewGate("listed").Rule(evaltest.NewRule("r").When(evaltest.InSegmentList("list"))))
}

func TestAKnownAnswerIsNotEvaluatedAgain(t *testing.T) {
	const body = `{"context":{"targetingKey":"alice"}}`
	lists := &countedLists{}
	f := newFixture(t, listed(), eval.Options{IDLists: lists})
	tag := f.post(flags, body).Header().Get("Etag")
	if lists.asked != 1 || tag == "" {
		t.Fatalf("asked the list %d times for tag %s, want once and a tag", lists.asked, tag)
	}
	tests := map[string]struct {
		header     []string
		wantStatus int
	}{
		"the tag":                    {[]string{"If-None-Match", tag}, 304},
		"the tag made weak":          {[]string{"If-None-Match", "W/" + tag}, 304},
		"one of several":             {[]string{"If-None-Match", `"x", ` + tag + ` , "y"`}, 304},
		"one of several headers":     {[]string{"If-None-Match", `"x"`, "If-None-Match", tag}, 304},
		"any":                        {[]string{"If-None-Match", "*"}, 304},
		"another tag":                {[]string{"If-None-Match", `"x"`}, 200},
		"the tag without its quotes": {[]string{"If-None-Match", tag[1 : len(tag)-1]}, 200},
		"an empty list":              {[]string{"If-None-Match", ""}, 200},
		"none":                       {nil, 200},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			lists.asked = 0
			w := f.post(flags, body, tc.header...)
			if w.Code != tc.wantStatus || w.Header().Get("Etag") != tag {
				t.Errorf("status %d with ETag %s, want %d with %s", w.Code, w.Header().Get("Etag"), tc.wantStatus, tag)
			}
			if w.Code == 304 && (w.Body.Len() > 0 || lists.asked > 0 || w.Header().Get("Content-Type") != "") {
				t.Errorf("304 has %d bytes, type %q, and looked into the list %d times, want none",
					w.Body.Len(), w.Header().Get("Content-Type"), lists.asked)
			}
		})
	}
}

func TestATagStandsForAllThatAnAnswerDependsOn(t *testing.T) {
	const body = `{"context":{"targetingKey":"alice","email":"a@example.com"}}`
	first := newFixture(t, shop(), eval.Options{})
	tag := func(f *fixture, body string) string { return f.post(flags, body).Header().Get("Etag") }
	want := tag(first, body)
	another := newFixture(t, shop(), eval.Options{})
	if got := tag(another, body); got != want {
		t.Errorf("another process tags %s, want %s", got, want)
	}
	tests := map[string]struct {
		body     string
		document *evaltest.Document
		version  string
	}{
		"another user": {body: `{"context":{"targetingKey":"bob","email":"a@example.com"}}`},
		"another attribute, for the same targetingKey": {body: `{"context":{"targetingKey":"alice","email":"b@example.com"}}`},
		"no context":                            {body: `{}`},
		"other rules":                           {document: shop().Add(evaltest.NewGate("more"))},
		"a later time":                          {document: shop().Time(2)},
		"other settings":                        {version: "v2"},
		"a version that runs into what follows": {version: "v1 "},
	}
	seen := map[string]string{want: "the first"}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := first
			if tc.document != nil {
				f = newFixture(t, tc.document, eval.Options{})
			}
			if tc.body == "" {
				tc.body = body
			}
			f.project.Version = "v1"
			if tc.version != "" {
				f.project.Version = tc.version
			}
			got := tag(f, tc.body)
			if is, known := seen[got]; known {
				t.Errorf("it is tagged like %s", is)
			}
			seen[got] = name
		})
	}
}

func TestWithoutAVersionThereIsNoTag(t *testing.T) {
	f := newFixture(t, shop(), eval.Options{})
	f.project.Version = ""
	w := f.post(flags, `{}`, "If-None-Match", "*")
	if w.Code != http.StatusOK || w.Header().Get("Etag") != "" {
		t.Errorf("status %d with ETag %q, want 200 without", w.Code, w.Header().Get("Etag"))
	}
}

// TestATagLastsUntilTheNextBoundary walks the clock to and fro over instants at which rules flip. A tag may only be
// known again where the answer is the same.
func TestATagLastsUntilTheNextBoundary(t *testing.T) {
	at := func(ms int64) time.Time { return evaluatedAt.Add(time.Duration(ms) * time.Millisecond) }
	gate := func(name, operator string, ms int64) *evaltest.SpecBuilder {
		return evaltest.NewGate(name).Rule(evaltest.NewRule("r").When(evaltest.CurrentTime(operator, at(ms).UnixMilli())))
	}
	d := evaltest.NewDocument(gate("a", "after", 1000), gate("b", "before", 2000), gate("c", "after", 2000), gate("d", "after", 90_000_000))
	f := newFixture(t, d, eval.Options{})
	now := evaluatedAt
	f.options.Now = func() time.Time { return now }
	answers := map[string]string{}
	tags := map[string]bool{}
	for _, ms := range []int64{0, 999, 1000, 1001, 1002, 500, 1500, 1999, 2000, 2001, 3000, 0, 2000, 1000, 90_000_000, 90_000_001, 1_000_000_000, 0} {
		for _, nanoseconds := range []int64{0, 999_999} {
			now = at(ms).Add(time.Duration(nanoseconds))
			w := f.post(flags, `{}`)
			tag, answer := w.Header().Get("Etag"), w.Body.String()
			if was, known := answers[tag]; known && was != answer {
				t.Errorf("at %d ms the tag is that of another answer:\n%s\n%s", ms, was, answer)
			}
			answers[tag], tags[fmt.Sprint(ms, tag)] = answer, true
			if w := f.post(flags, `{}`, "If-None-Match", tag); w.Code != 304 {
				t.Errorf("at %d ms the tag just given is answered %d, want 304", ms, w.Code)
			}
		}
	}
	// Before a, between a and b, then c, and after d: whole days have their own edges, where some operators flip.
	if len(answers) < 4 || len(answers) > 8 {
		t.Errorf("%d tags, want one for each time between boundaries", len(answers))
	}
}

// TestEqualTagsMeanEqualAnswersAtRecordedInstants does so at the instants at which the official SDK was asked about
// every operator on the clock.
func TestEqualTagsMeanEqualAnswersAtRecordedInstants(t *testing.T) {
	groups, err := conformance.Groups(filepath.Join("..", "..", "testdata", "conformance"))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(groups, func(g conformance.Group) bool { return g.Name == "current_time" })
	if i < 0 {
		t.Fatal("there are no answers about the clock")
	}
	project, err := groups[i].Project()
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, shop(), eval.Options{})
	f.project.Evaluator = project.Evaluator
	var now time.Time
	f.options.Now = func() time.Time { return now }
	answers := map[string]string{}
	different := map[string]bool{}
	instants := slices.Concat(project.Instants, project.Instants) // the second time, every tag was seen
	for _, now = range instants {
		w := f.post(flags, `{}`)
		tag, answer := w.Header().Get("Etag"), w.Body.String()
		if was, known := answers[tag]; known && was != answer {
			t.Errorf("at %d ms the tag is that of another answer", now.UnixMilli())
		}
		answers[tag], different[answer] = answer, true
	}
	if len(different) < 10 {
		t.Errorf("%d different answers at %d instants, want more", len(different), len(project.Instants))
	}
	t.Logf("%d instants, %d tags, %d different answers", len(project.Instants), len(answers), len(different))
}
