package conformance

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// malformedDocument is a damaged or odd document, and what the official SDK made of it.
type malformedDocument struct {
	Case string `json:"case"`
	Doc  string `json:"doc"`
	Init struct {
		IsSuccess bool `json:"isSuccess"`
	} `json:"init"`
	Gate   answer     `json:"g"`
	Gate2  answer     `json:"g2"`
	Config answer     `json:"c"`
	Layer  answer     `json:"l"`
	Lists  [][]string `json:"lists"`
}

// malformedCases lists the malformed documents of a folder, as one case.
func malformedCases(folder string) ([]Case, error) {
	const name = "malformed_docs"
	file := filepath.Join(folder, "malformed", name+".jsonl.gz")
	if !exists(file) {
		return nil, nil
	}
	return []Case{{SuiteMalformed, name, func(s *sheet) error {
		return readObjects(file, func(_ int, m *malformedDocument) error { return s.malformed(m) })
	}}}, nil
}

func (s *sheet) malformed(m *malformedDocument) error {
	s.outcome.Cases++
	at := cell{kind: "document", entity: m.Case, field: "init"}
	d, err := eval.Decode([]byte(m.Doc))
	if err != nil && !errors.Is(err, eval.ErrMalformed) {
		return err
	}
	s.compare(at, (err == nil) == m.Init.IsSuccess, err == nil, m.Init.IsSuccess)
	// Else there is nothing to ask.
	if err == nil && m.Init.IsSuccess && d.HasUpdates() {
		return s.odd(at, d, m)
	}
	return nil
}

// odd compares what still evaluates.
func (s *sheet) odd(at cell, d *eval.Document, m *malformedDocument) error {
	snapshot, err := eval.Compile(d, eval.Origin{Source: "Network"})
	if err != nil {
		return err
	}
	for i, kind := range []eval.Kind{eval.KindGate, eval.KindDynamicConfig} {
		slices.Sort(m.Lists[i])
		got := snapshot.Names(kind)
		at.field = "names of kind " + kind.String()
		s.compare(at, slices.Equal(got, m.Lists[i]), got, m.Lists[i])
	}
	e := eval.NewEvaluator(snapshot, eval.Options{})
	u := eval.NewUser(eval.UserAttributes{UserID: "u", Custom: map[string]any{"f": "a"}})
	evaluate := func(kind eval.Kind, name string) eval.Result {
		return e.Evaluate(eval.Ref{Kind: kind, Name: name}, u, evaluatedAt, nil)
	}
	s.gate(at, &m.Gate, evaluate(eval.KindGate, "g"))
	s.gate(at, &m.Gate2, evaluate(eval.KindGate, "g2"))
	config := evaluate(eval.KindDynamicConfig, "c")
	s.common(at, &m.Config, &config)
	s.configValue(at, &m.Config, config.Value)
	s.config(at, &m.Layer, evaluate(eval.KindLayer, "l"))
	return nil
}
