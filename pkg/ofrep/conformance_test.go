package ofrep

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/internal/conformance"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// TestAnswersAreThoseOfTheEvaluator asks for every flag of recorded documents, for their users written as contexts, and
// compares with what the evaluator says of the same users.
func TestAnswersAreThoseOfTheEvaluator(t *testing.T) {
	folders := []string{filepath.Join("..", "..", "testdata", "conformance")}
	if more := os.Getenv("CONFORMANCE_DIR"); more != "" {
		folders = append(folders, more)
	}
	total := 0
	for _, folder := range folders {
		groups, err := conformance.Groups(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups {
			project, err := g.Project()
			if err != nil {
				t.Fatal(err)
			}
			compared := 0
			for i, line := range usersOf(t, folder, g.Name) {
				if compared == comparedUsers {
					break
				}
				if context, user, ok := contextOf(line); ok {
					compared++
					total += compareAnswers(t, g.Name, project.Evaluator, project.Instants[i], context, user)
				}
			}
		}
	}
	if total < 10_000 {
		t.Errorf("%d answers compared, want more", total)
	}
	t.Logf("%d answers compared", total)
}

// usersOf reads the users of a group; groups about the clock have none.
func usersOf(t *testing.T, folder, group string) [][]byte {
	t.Helper()
	for _, name := range []string{filepath.Join("fuzz", group+".users.jsonl.gz"), filepath.Join("project", "users.jsonl.gz")} {
		file, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			continue
		}
		defer file.Close()
		z, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	}
	return nil
}

// contextOf writes a Statsig user as a context, and the user that this means: an empty text is as good as none in a
// context. ok is false for users whose types contexts can't have, and for those without an ID.
func contextOf(line []byte) (context string, user *eval.User, ok bool) {
	members := map[string]json.RawMessage{}
	if json.Unmarshal(line, &members) != nil {
		return "", nil, false
	}
	for name, value := range members {
		if string(value) == `""` || string(value) == "null" {
			delete(members, name)
		}
	}
	text, _ := json.Marshal(members)
	user, err := eval.ParseUser(text)
	if err != nil || user.UserID() == "" {
		return "", nil, false
	}
	members["targetingKey"] = members["userID"]
	delete(members, "userID")
	text, _ = json.Marshal(members)
	body := `{"context":` + string(text) + `}`
	if strings.Contains(string(members["customIDs"]), "null") {
		return "", nil, false
	}
	_, problem := parse(body)
	return body, user, problem == nil
}

// compareAnswers asks for all flags at once and each by itself.
func compareAnswers(t *testing.T, group string, e *eval.Evaluator, now time.Time, body string, user *eval.User) (compared int) {
	t.Helper()
	h, err := New(Options{
		Project: func(*http.Request) Project { return Project{Evaluator: e, Version: "v"} },
		Now:     func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Handler: h}
	compareBulk(t, f, body)
	s := e.Snapshot()
	value := func(key string) (string, bool) {
		compared++
		w := f.post(flags+"/"+url.PathEscape(key), body)
		checkSchema(t, key, w.Code, w.Body.Bytes())
		return gjson.GetBytes(w.Body.Bytes(), "value").Raw, w.Code == http.StatusOK
	}
	check := func(key, want string, r *eval.Result) {
		got, answered := value(key)
		wantAnswered := r.Details.Reason == eval.ReasonRecognized || r.Kind == 0
		if !wantAnswered || want == "null" {
			want = ""
		}
		if got != want || answered != wantAnswered {
			t.Errorf("%s: %s for %s is %s, answered %v, want %s, %v", group, key, body, got, answered, want, wantAnswered)
		}
	}
	for _, name := range s.Names(eval.KindGate) {
		r := e.Evaluate(eval.Ref{Kind: eval.KindGate, Name: name}, user, now, nil)
		check("gate:"+name, map[bool]string{true: "true", false: "false"}[r.Pass], &r)
	}
	for _, kind := range []eval.Kind{eval.KindDynamicConfig, eval.KindExperiment, eval.KindLayer} {
		for _, name := range s.Names(kind) {
			r := e.Evaluate(eval.Ref{Kind: kind, Name: name}, user, now, nil)
			if kind != eval.KindLayer {
				check(kindWord(kind)+":"+name, cmp.Or(r.Value, "{}"), &r)
			}
			gjson.Parse(r.Value).ForEach(func(member, _ gjson.Result) bool {
				if member.Str != "" {
					last, _ := r.Parameter(member.Str)
					check(kindWord(kind)+":"+name+"."+member.Str, last, &r)
				}
				return true
			})
		}
	}
	for _, store := range s.Names(eval.KindParameterStore) {
		for _, name := range s.Parameters(store) {
			p := e.Parameter(store, name, user, now, nil)
			if p.From.Kind != 0 && p.From.Details.Reason == eval.ReasonUnrecognized {
				p.From.Details.Reason = eval.ReasonRecognized // what a parameter stands for may be missing
			}
			check("parameterStore:"+store+"."+name, p.Value, &p.From)
		}
	}
	return compared
}

// checkSchema checks an answer for one flag against the protocol's document.
func checkSchema(t *testing.T, key string, status int, body []byte) {
	t.Helper()
	var answer struct {
		Key          *string         `json:"key"`
		Value        json.RawMessage `json:"value"`
		Reason       string          `json:"reason"`
		Variant      string          `json:"variant"`
		Metadata     map[string]any  `json:"metadata"`
		ErrorCode    string          `json:"errorCode"`
		ErrorDetails string          `json:"errorDetails"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&answer); err != nil || answer.Key == nil || *answer.Key != key {
		t.Fatalf("%q is answered %s: %v", key, body, err)
	}
	for _, v := range answer.Metadata {
		switch v.(type) {
		case string, float64, bool:
		default:
			t.Errorf("%q has metadata that is no scalar: %s", key, body)
		}
	}
	if string(answer.Value) == "null" {
		t.Errorf("%q has the value null: %s", key, body)
	}
	allowed := map[int]string{200: "", 400: "PARSE_ERROR TARGETING_KEY_MISSING INVALID_CONTEXT GENERAL", 404: "FLAG_NOT_FOUND"}
	codes, known := allowed[status]
	isSuccess := status == http.StatusOK
	hasReason := strings.Contains("STATIC TARGETING_MATCH SPLIT DEFAULT", answer.Reason) && answer.Reason != ""
	if !known || isSuccess != hasReason || isSuccess != (answer.ErrorCode == "") || !strings.Contains(codes, answer.ErrorCode) {
		t.Errorf("%q is answered %d: %s", key, status, body)
	}
}
