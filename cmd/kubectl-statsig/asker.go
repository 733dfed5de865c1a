package main

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// asker evaluates for one goroutine. Results stay valid until the next call.
type asker struct {
	*project
	recorder eval.Recorder
	values   map[string]string
}

func newAsker(p *project) asker { return asker{project: p, values: map[string]string{}} }

func (a *asker) evaluate(e *entity, user *eval.User) eval.Result {
	return a.evaluator.Evaluate(e.Ref, user, a.now, &a.recorder)
}

// storeReason tells whether a parameter store is known.
func (a *asker) storeReason(e *entity, user *eval.User) eval.Reason {
	// The reason is the store's own, so that any parameter tells it, there or not.
	return a.evaluator.Parameter(e.Name, "", user, a.now, nil).Details.Reason
}

// appendStoreValues appends the values of a parameter store's parameters, a JSON object.
func (a *asker) appendStoreValues(dst []byte, e *entity, user *eval.User) []byte {
	dst = append(dst, '{')
	for i, parameter := range e.parameters {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, parameter), ':')
		dst = append(dst, a.canonical(a.evaluator.Parameter(e.Name, parameter, user, a.now, nil).Value)...)
	}
	return append(dst, '}')
}

// canonical is a JSON value on one line, with sorted keys, and with its numbers as the official SDK for Node has them:
// doubles, in the spelling of JavaScript. It is null for "". Values are parts of the document, so that there are few of
// them, and each is brought into this form once.
func (a *asker) canonical(value string) string {
	if value == "" {
		return "null"
	}
	done, ok := a.values[value]
	if !ok {
		done = canonicalJSON(value, false)
		a.values[value] = done
	}
	return done
}

// canonicalJSON is a JSON value on one line, with sorted keys. Its numbers keep the digits they are spelled with, or
// become doubles.
func canonicalJSON(value string, keepDigits bool) string {
	var decoded any
	d := json.NewDecoder(strings.NewReader(value))
	if keepDigits {
		d.UseNumber()
	}
	if err := d.Decode(&decoded); err != nil {
		return value // the evaluator hands out nothing but JSON, and no numbers beyond those of a double
	}
	return string(encodeJSON(decoded))
}

// encodeJSON encodes without the escapes that only web pages need.
func encodeJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return []byte("null") // never: strings and decoded JSON can be encoded
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}

// appendString appends a JSON string.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return append(dst, encodeJSON(s)...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}
