package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const sdkKey = "secret-9aZ0bY1cX2dW3eV4fU5gT6hS7iR8jQ9kP0lO1mN2nM3"

func TestKeyNeverPrints(t *testing.T) {
	type exported struct{ Key Key }
	type hidden struct {
		key  Key
		keys []Key
		by   map[string]Key
	}
	key := NewKey(sdkKey)
	values := map[string]any{
		"a key":                         key,
		"a pointer to a key":            &key,
		"a slice of keys":               []Key{key},
		"a map to keys":                 map[string]Key{"k": key},
		"a map from keys":               map[Key]int{key: 1},
		"an exported field":             exported{key},
		"a pointer to exported":         &exported{key},
		"unexported fields":             hidden{key, []Key{key}, map[string]Key{"k": key}},
		"a pointer to unexported":       &hidden{key, []Key{key}, map[string]Key{"k": key}},
		"an interface in an unexported": struct{ v any }{key},
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			for verb := rune('!'); verb <= '~'; verb++ {
				for _, flags := range []string{"", "+", "#", "-20", "020", " ", ".3"} {
					format := "%" + flags + string(verb)
					if got := fmt.Sprintf(format, value); strings.Contains(got, sdkKey) || strings.Contains(got, sdkKey[7:]) {
						t.Errorf("%s prints %s", format, got)
					}
				}
			}
			if got := fmt.Sprintln(value); strings.Contains(got, sdkKey) {
				t.Errorf("printing without a format gives %s", got)
			}
		})
	}
}

func TestKeyPrintsThePlaceholder(t *testing.T) {
	key := NewKey(sdkKey)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10s"} {
		if got := fmt.Sprintf(format, key); got != Redacted {
			t.Errorf("%s prints %s, want %s", format, got, Redacted)
		}
	}
	if got := key.String() + key.GoString(); got != Redacted+Redacted {
		t.Errorf("String and GoString give %s", got)
	}
}

func TestKeyNeverMarshals(t *testing.T) {
	type document struct {
		Key     Key            `json:"key"`
		Pointer *Key           `json:"pointer"`
		Keys    map[Key]string `json:"keys"`
	}
	key := NewKey(sdkKey)
	value := document{Key: key, Pointer: &key, Keys: map[Key]string{key: "x"}}
	want := document{}

	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(asJSON), `{"key":"[redacted]","pointer":"[redacted]","keys":{"[redacted]":"x"}}`; got != want {
		t.Errorf("got JSON %s, want %s", got, want)
	}
	asYAML, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(asYAML), "key: '[redacted]'\nkeys:\n  '[redacted]': x\npointer: '[redacted]'\n"; got != want {
		t.Errorf("got YAML %s, want %s", got, want)
	}
	if err := json.Unmarshal(asJSON, &want); err == nil {
		t.Error("a placeholder reads back as a key")
	}
}

func TestKeyNeverLogs(t *testing.T) {
	handlers := map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			key := NewKey(sdkKey)
			slog.New(handler(&out)).Info("Fetching", "key", key, "pointer", &key, "options", struct{ key Key }{key})
			if got := out.String(); strings.Contains(got, sdkKey) || !strings.Contains(got, Redacted) {
				t.Errorf("logged %s", got)
			}
		})
	}
}

func TestKeyReveal(t *testing.T) {
	cases := map[string]struct {
		key      Key
		want     string
		wantZero bool
	}{
		"a key gives its text":      {key: NewKey(sdkKey), want: sdkKey},
		"the zero key is empty":     {wantZero: true},
		"an empty text is the zero": {key: NewKey(""), wantZero: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.key.Reveal(); got != tc.want {
				t.Errorf("Reveal gives %q, want %q", got, tc.want)
			}
			if got := tc.key.IsZero(); got != tc.wantZero {
				t.Errorf("IsZero gives %v, want %v", got, tc.wantZero)
			}
		})
	}
}

func TestKeysAreEqualByText(t *testing.T) {
	one, same, other := NewKey("secret-one"), NewKey(strings.Clone("secret-one")), NewKey("secret-two")
	if one != same || !one.Equal(same) {
		t.Error("two keys of one text differ")
	}
	if one == other || one.Equal(other) || one.Equal(Key{}) {
		t.Error("keys of different texts are equal")
	}
	if a, b := (struct{ K Key }{one}), (struct{ K Key }{same}); !cmp.Equal(a, b) {
		t.Error("go-cmp tells two keys of one text apart")
	}
}

func TestFingerprint(t *testing.T) {
	// The first six bytes of printf '' | sha256sum and printf 'abc' | sha256sum.
	for text, want := range map[string]string{"": "e3b0c44298fc", "abc": "ba7816bf8f01"} {
		if got := NewKey(text).Fingerprint(); got != want {
			t.Errorf("fingerprint of %q is %s, want %s", text, got, want)
		}
	}
}

func TestKeyInAnErrorNeverPrints(t *testing.T) {
	err := errors.Join(fmt.Errorf("fetching with %v: %w", NewKey(sdkKey), errors.New("refused")))
	if got := err.Error(); got != "fetching with [redacted]: refused" {
		t.Errorf("got %q", got)
	}
}
