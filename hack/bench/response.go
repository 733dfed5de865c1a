package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	statsig "github.com/statsig-io/go-sdk"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// namedDocument is a document of the v2 form.
type namedDocument struct {
	name string
	text []byte
}

// responseSection measures client initialize responses as JSON, names hashed with djb2, for users in rotation.
func responseSection(ctx context.Context, o options, w io.Writer) error {
	large, err := largeDocument(0.4, false)
	if err != nil {
		return err
	}
	documents, err := readDocuments(o.documents)
	if err != nil {
		return err
	}
	t := table{
		title:  "Client initialize response as JSON: least (median) · allocations",
		header: []string{"document", "bytes", ours, goSDK, nodeCore, "multiples"},
	}
	for _, d := range append([]namedDocument{{"generated, 0.4 MB", large}}, documents...) {
		if len(d.text) < minLargeDocument {
			continue
		}
		if err := measureResponses(ctx, o, d, &t, w); err != nil {
			return fmt.Errorf("document %s: %w", d.name, err)
		}
	}
	t.print(w)
	return nil
}

// minLargeDocument is the size of a document, in bytes, from which its response and load are worth measuring.
const minLargeDocument = 300_000

// readDocuments reads a folder's documents of the v2 form; "" has none.
func readDocuments(folder string) ([]namedDocument, error) {
	if folder == "" {
		return nil, nil
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no *.json in %s", folder)
	}
	var documents []namedDocument
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var form struct {
			Conditions json.RawMessage `json:"condition_map"`
		}
		if json.Unmarshal(text, &form) == nil && form.Conditions != nil {
			documents = append(documents, namedDocument{filepath.Base(path), text})
		}
	}
	return documents, nil
}

func measureResponses(ctx context.Context, o options, d namedDocument, t *table, w io.Writer) error {
	users := newUsers()
	e, err := newEvaluator(d.text)
	if err != nil {
		return err
	}
	prepared := make([]*eval.User, len(users))
	for i, u := range users {
		prepared[i] = eval.NewUser(u.attributes())
	}
	var buffer []byte
	respond := func(i int) []byte {
		buffer = e.AppendClientInitialize(buffer[:0], prepared[i%len(prepared)], evaluatedAt(), eval.ClientInitializeOptions{})
		return buffer
	}
	size := len(respond(0))
	contestants := []contestant{{ours, repeated(func(i int) { respond(i) })}}

	legacy, err := legacyForm(d.text)
	if err != nil {
		return err
	}
	client, err := newGoSDKClient(string(legacy))
	if err != nil {
		return err
	}
	defer client.Shutdown()
	respondGo := func(i int) []byte {
		response := client.GetClientInitializeResponseWithOptions(
			users[i%len(users)].goSDK(), &statsig.GCIROptions{HashAlgorithm: "djb2"})
		text, _ := json.Marshal(response) // its maps and strings always have a text
		return text
	}
	contestants = append(contestants, contestant{goSDK, repeated(func(i int) { respondGo(i) })})

	core, err := startNode(ctx, o, d.text, w)
	if err != nil {
		return err
	}
	contestants = append(contestants, contestant{name: nodeCore})
	if core != nil {
		defer core.close()
		if err := core.setUsers(users); err != nil {
			return err
		}
		if err := agreeOnResponse(core, respond, d.name, w); err != nil {
			return err
		}
		contestants[2].run = func(n int) (sample, error) { return core.time(object{"op": "timeResponse", "n": n}, n) }
	}
	timings, err := o.meter.compare(contestants)
	if err != nil {
		return err
	}
	t.add(d.name, fmt.Sprint(size), timings[0].cellWithAllocs(), timings[1].cellWithAllocs(), timings[2].cell(),
		timings[0].ratio(timings[1])+", "+timings[0].ratio(timings[2]))
	return nil
}

// agreeOnResponse compares entry by entry what our evaluator and the Server Core say to some users. Documents may read
// the clock, so that a few entries may differ; how many is printed.
func agreeOnResponse(core *nodePeer, respond func(i int) []byte, document string, w io.Writer) error {
	compared, different := 0, []string{}
	for i := range 5 {
		var a struct{ Text string }
		if err := core.call(object{"op": "response", "user": i}, &a); err != nil {
			return err
		}
		var want, got map[string]json.RawMessage
		if err := json.Unmarshal([]byte(a.Text), &want); err != nil {
			return err
		}
		if err := json.Unmarshal(respond(i), &got); err != nil {
			return err
		}
		for _, section := range []string{"feature_gates", "dynamic_configs", "layer_configs"} {
			n, names, err := differences(want[section], got[section])
			if err != nil {
				return err
			}
			compared, different = compared+n, append(different, names...)
		}
	}
	if len(different)*20 > compared {
		return fmt.Errorf("%d of %d entries differ from %s: %v", len(different), compared, nodeCore, different[:5])
	}
	fmt.Fprintf(w, "Responses of %s: %d of %d entries are those of %s.\n", document, compared-len(different), compared, nodeCore)
	return nil
}

// differences lists the entries of two objects that aren't the same.
func differences(want, got json.RawMessage) (entries int, names []string, err error) {
	var a, b map[string]any
	if err := json.Unmarshal(want, &a); err != nil {
		return 0, nil, err
	}
	if err := json.Unmarshal(got, &b); err != nil {
		return 0, nil, err
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	for name, entry := range a {
		// Marshal sorts members, so equal entries have equal texts.
		x, _ := json.Marshal(entry)
		y, _ := json.Marshal(b[name])
		if string(x) != string(y) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return len(a), names, nil
}
