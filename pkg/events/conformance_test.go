package events

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/country"
	"github.com/statsig-operator/statsig-operator/pkg/eval/useragent"
)

// TestExposuresEqualTheOfficialSDKs compares with exposures recorded from the official SDK, for every user of a corpus
// and every gate, config and layer parameter of real documents. The recordings are not part of this repository:
// CONFORMANCE_DIR says where they are.
func TestExposuresEqualTheOfficialSDKs(t *testing.T) {
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		t.Skip("CONFORMANCE_DIR is not set")
	}
	users := readLines(t, filepath.Join(dir, "exposures", "users.jsonl.gz"))
	lists := readIDLists(t, filepath.Join(dir, "project", "id_lists.json.gz"))
	tests := map[string]struct {
		// sampled says that the SDK left some exposures out and marked others; which ones is up to its own hash.
		sampled bool
	}{
		"demo_proj_dcs":           {},
		"eval_proj_dcs":           {},
		"java_enforce_sticky_dcs": {sampled: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			document, err := os.ReadFile(filepath.Join(dir, "..", "data", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			asker := newAsker(t, document, lists)
			compared := 0
			for _, line := range readLines(t, filepath.Join(dir, "exposures", name+".exposures.jsonl.gz"))[1:] {
				u := int(gjson.GetBytes(line, "u").Int())
				want := recordedEvents(t, line)
				got := asker.ask(t, users[u])
				if tc.sampled {
					got, want = sampledAlike(got, want)
				}
				stripUsers(got, want)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("exposures of user %d differ (-want +got):\n%s", u, diff)
				}
				compared += len(got)
			}
			if compared == 0 {
				t.Error("nothing was compared")
			}
			t.Logf("%d exposures are equal", compared)
		})
	}
}

// asker asks for everything in a document in the order of the recordings, and exposes it.
type asker struct {
	evaluator *eval.Evaluator
	logger    *Logger
	refs      []eval.Ref
}

func newAsker(t *testing.T, document []byte, lists idLists) *asker {
	t.Helper()
	a := &asker{
		evaluator: newEvaluator(t, document, eval.Options{Environment: "development", IDLists: lists}),
		logger:    newLogger(mustOptions(t, Options{}), &fakeSender{}),
	}
	// Not Snapshot.Names: the recordings hold segments and holdouts too.
	for _, section := range []struct {
		path string
		kind eval.Kind
	}{
		{"feature_gates", eval.KindGate},
		{"dynamic_configs", eval.KindExperiment},
		{"layer_configs", eval.KindLayer},
	} {
		names := slices.Sorted(maps.Keys(gjson.GetBytes(document, section.path).Map()))
		for _, name := range names {
			a.refs = append(a.refs, eval.Ref{Kind: section.kind, Name: name})
		}
	}
	return a
}

func newEvaluator(t *testing.T, document []byte, o eval.Options) *eval.Evaluator {
	t.Helper()
	d, err := eval.Decode(document)
	if err != nil {
		t.Fatalf("Decode: %v", err)
	}
	s, err := eval.Compile(d, eval.Origin{Source: "Network", ReceivedAt: time.UnixMilli(1795186904149)})
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	o.UserAgent, o.Country = useragent.FirstParty{}, country.New()
	return eval.NewEvaluator(s, o)
}

// ask returns the exposures of one user as they would be sent, without what differs from run to run.
func (a *asker) ask(t *testing.T, userJSON []byte) []map[string]any {
	t.Helper()
	user, err := eval.ParseUser(userJSON)
	if err != nil {
		t.Fatalf("ParseUser: %v", err)
	}
	now := time.UnixMilli(1795186904150)
	loggable := a.evaluator.LoggableUser(nil, user)
	var recorder eval.Recorder
	for _, ref := range a.refs {
		r := a.evaluator.Evaluate(ref, user, now, &recorder)
		e := Exposure{Result: r, User: loggable, Time: now}
		if ref.Kind != eval.KindLayer {
			a.logger.Expose(e)
			continue
		}
		for _, parameter := range slices.Sorted(maps.Keys(gjson.Parse(r.Value).Map())) {
			e.Parameter = parameter
			a.logger.Expose(e)
		}
	}
	return takeEvents(t, a.logger)
}

// takeEvents empties the logger's queue by way of a request body.
func takeEvents(t *testing.T, l *Logger) []map[string]any {
	t.Helper()
	var events []map[string]any
	for b := l.queue.take(true); b != nil; b = l.queue.take(true) {
		var body struct{ Events []map[string]any }
		if err := json.Unmarshal(gunzip(l.encoder.encode(b)), &body); err != nil {
			t.Fatalf("batch is not JSON: %v", err)
		}
		l.queue.resolve(b, nil)
		events = append(events, body.Events...)
	}
	for _, e := range events {
		delete(e, "time")
		delete(e["metadata"].(map[string]any), "receivedAt")
	}
	return events
}

func recordedEvents(t *testing.T, line []byte) []map[string]any {
	t.Helper()
	var recorded struct{ Events []map[string]any }
	if err := json.Unmarshal(line, &recorded); err != nil {
		t.Fatalf("recording is not JSON: %v", err)
	}
	return recorded.Events
}

// sampledAlike leaves in got what want holds, and takes the marks of sampling out of want.
func sampledAlike(got, want []map[string]any) (gotKept, wantPlain []map[string]any) {
	name := func(e map[string]any) string {
		m := e["metadata"].(map[string]any)
		text, _ := json.Marshal([]any{e["eventName"], m["gate"], m["config"], m["parameterName"]})
		return string(text)
	}
	recorded := map[string]bool{}
	for _, e := range want {
		recorded[name(e)] = true
		e["statsigMetadata"] = map[string]any{}
	}
	for _, e := range got {
		if recorded[name(e)] {
			gotKept = append(gotKept, e)
		}
	}
	return gotKept, want
}

// stripUsers takes the user out of events whose recording has none; most don't, to save space.
func stripUsers(got, want []map[string]any) {
	for i := range min(len(got), len(want)) {
		if _, ok := want[i]["user"]; !ok {
			delete(got[i], "user")
		}
	}
}

// idLists are the hashes of each list.
type idLists map[string]map[string]bool

func (l idLists) Contains(list, hash string) bool { return l[list][hash] }

func readIDLists(t *testing.T, path string) idLists {
	t.Helper()
	lists := idLists{}
	gjson.ParseBytes(bytes.Join(readLines(t, path), nil)).ForEach(func(name, list gjson.Result) bool {
		lists[name.Str] = map[string]bool{}
		for line := range strings.Lines(list.Get("body").Str) {
			lists[name.Str][strings.TrimSpace(line[1:])] = line[0] == '+'
		}
		return true
	})
	return lists
}

func readLines(t *testing.T, path string) [][]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	scanner := bufio.NewScanner(plain)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		lines = append(lines, bytes.Clone(scanner.Bytes()))
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// A private attribute decides the gate and must not leave the process by any way.
func TestPrivateAttributesAreNotSent(t *testing.T) {
	const document = `{"has_updates":true,"time":1,"feature_gates":{"vip":{"type":"feature_gate","entity":"feature_gate","salt":"s",
		"enabled":true,"defaultValue":false,"idType":"userID","version":1,"rules":[{"name":"r","id":"rule1","salt":"r","passPercentage":100,
		"conditions":["c"],"returnValue":true,"idType":"userID"}]}},"dynamic_configs":{},"layer_configs":{},"experiment_to_layer":{},
		"condition_map":{"c":{"type":"user_field","operator":"any","targetValue":["hidden-value"],"field":"account","additionalValues":{},
		"idType":"userID"}}}`
	evaluator := newEvaluator(t, []byte(document), eval.Options{Environment: "production", GlobalCustomFields: map[string]any{"cluster": "eu1"}})
	user := eval.NewUser(eval.UserAttributes{
		UserID:            "shop/checkout",
		Custom:            map[string]any{"region": "eu"},
		PrivateAttributes: map[string]any{"account": "hidden-value"},
	})
	r := evaluator.Evaluate(eval.Ref{Kind: eval.KindGate, Name: "vip"}, user, time.UnixMilli(0), nil)
	if !r.Pass {
		t.Fatalf("the private attribute did not decide the gate: %+v", r)
	}
	l := newLogger(mustOptions(t, Options{}), &fakeSender{})
	loggable := evaluator.LoggableUser(nil, user)
	l.Expose(Exposure{Result: r, User: loggable})
	l.Log(CustomEvent{Name: "done", User: loggable, Metadata: map[string]Value{}})
	events := takeEvents(t, l)
	want := map[string]any{
		"userID":             "shop/checkout",
		"custom":             map[string]any{"region": "eu", "cluster": "eu1"},
		"statsigEnvironment": map[string]any{"tier": "production"},
	}
	if len(events) != 2 {
		t.Fatalf("%d events, want 2", len(events))
	}
	for _, e := range events {
		if diff := cmp.Diff(want, e["user"]); diff != "" {
			t.Errorf("user of %s differs (-want +got):\n%s", e["eventName"], diff)
		}
		if text, _ := json.Marshal(e); strings.Contains(string(text), "hidden") || strings.Contains(string(text), "account") {
			t.Errorf("event holds the private attribute: %s", text)
		}
	}
}
