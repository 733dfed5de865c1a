package conformance

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/events"
)

// exchange is one request of the official SDK, with its answer.
type exchange struct {
	Path string          `json:"path"`
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body"`
	// Response says how the document began that was sent.
	Response struct {
		Bytes    int    `json:"bytes"`
		BodyHead string `json:"body_head"`
	} `json:"response"`
}

// batchCases lists the transcripts of a folder whose requests hold events.
func batchCases(folder string) ([]Case, error) {
	names, files, err := glob(".jsonl", folder, "transcripts")
	if err != nil {
		return nil, err
	}
	var cases []Case
	for i, name := range names {
		// Others than Server Core log older forms of events.
		if strings.HasPrefix(name, "node-core.") {
			cases = append(cases, Case{SuiteBatches, name, func(s *sheet) error {
				return s.batches(files[i], filepath.Join(folder, "..", "data"))
			}})
		}
	}
	return cases, nil
}

// batches compares the events in a transcript. What was called is read off the events themselves: an exposure names its
// entity, and holds its user.
func (s *sheet) batches(file, documents string) error {
	b := batch{sheet: s, documents: documents}
	n := 0
	return readObjects(file, func(_ int, x *exchange) error {
		if x.Kind == "specs" && x.Response.Bytes > 0 {
			return b.serve(x)
		}
		if !strings.HasSuffix(x.Path, "/log_event") {
			return nil
		}
		var body struct {
			Events []map[string]any `json:"events"`
		}
		if err := json.Unmarshal(x.Body, &body); err != nil {
			return fmt.Errorf("reading a batch: %w", err)
		}
		for _, event := range body.Events {
			if n++; n%s.stride != 0 {
				continue
			}
			if err := b.event(n, event); err != nil {
				return fmt.Errorf("event %d: %w", n, err)
			}
		}
		return nil
	})
}

// batch compares events with what pkg/events makes of the same calls.
type batch struct {
	*sheet
	documents string
	// evaluator is nil until the SDK has a document that is at hand.
	evaluator *eval.Evaluator
	exposer   exposer
}

// serve takes over the document that the SDK was sent, if it is one of those at hand.
func (b *batch) serve(x *exchange) error {
	names, files, err := glob(".json", b.documents)
	if err != nil {
		return err
	}
	for i := range names {
		text, err := readFile(files[i])
		if err != nil {
			return err
		}
		if len(text) != x.Response.Bytes || !strings.HasPrefix(string(text), x.Response.BodyHead) {
			continue
		}
		b.evaluator, err = Group{document: files[i]}.evaluator()
		return err
	}
	return nil
}

func (b *batch) event(n int, want map[string]any) error {
	name, _ := want["eventName"].(string)
	text, err := json.Marshal(want["user"])
	if err != nil {
		return err
	}
	user, err := eval.ParseUser(text)
	if err != nil {
		return err
	}
	at := cell{kind: "event", entity: name, user: n}
	var got map[string]any
	switch {
	case name == "statsig::diagnostics":
		return nil // of the SDK's own doings
	case !strings.HasSuffix(name, "_exposure"):
		got, err = decodeEvent(events.AppendCustomEvent(nil, customEvent(name, want, text)))
	case b.evaluator == nil:
		return nil // it was evaluated on nothing, or on what is not at hand
	default:
		got, err = b.exposer.event(b.exposure(want, user))
	}
	if err != nil {
		return err
	}
	b.sheet.event(at, got, want)
	return nil
}

// exposure makes the call again that an exposure came from.
func (b *batch) exposure(want map[string]any, user *eval.User) events.Exposure {
	metadata, _ := want["metadata"].(map[string]any)
	text := func(name string) string { s, _ := metadata[name].(string); return s }
	ref := eval.Ref{Kind: eval.KindGate, Name: text("gate")}
	switch want["eventName"] {
	case "statsig::config_exposure":
		ref = eval.Ref{Kind: eval.KindDynamicConfig, Name: text("config")}
		if metadata["rulePassed"] == nil {
			ref.Kind = eval.KindExperiment
		}
	case "statsig::layer_exposure":
		ref = eval.Ref{Kind: eval.KindLayer, Name: text("config")}
	}
	manual, _ := strconv.ParseBool(text("isManualExposure"))
	return events.Exposure{
		Result: b.evaluator.Evaluate(ref, user, evaluatedAt, &b.exposer.recorder), Parameter: text("parameterName"),
		User: b.evaluator.LoggableUser(nil, user), Manual: manual,
	}
}

func customEvent(name string, want map[string]any, user []byte) events.CustomEvent {
	e := events.CustomEvent{Name: name, User: user, Value: scalar(want["value"])}
	if metadata, ok := want["metadata"].(map[string]any); ok {
		e.Metadata = map[string]events.Value{}
		for field, value := range metadata {
			e.Metadata[field] = scalar(value)
		}
	}
	return e
}

func scalar(v any) events.Value {
	switch v := v.(type) {
	case string:
		return events.String(v)
	case float64:
		return events.Number(v)
	case bool:
		return events.Bool(v)
	default:
		return events.Value{}
	}
}
