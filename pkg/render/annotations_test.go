package render

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnnotations(t *testing.T) {
	entries := []Entry{
		{Name: "newCheckout", State: Evaluated, Value: "true"},
		{Name: "color", State: Evaluated, Value: `"green"`},
		{Name: "limits", State: Evaluated, Value: `{"rps": 1}`},
		{Name: "kept", State: Missing, Default: `"d"`},
		{Name: "foreign", State: Missing},
		{Name: "defaulted", State: Missing, Default: "[1, 2]"},
	}
	previous := map[string]string{
		"flags.example.com/kept": "before", "flags.example.com/color": "blue", "other.example.com/foreign": "x", "foreign": "y",
	}
	got, err := Annotations("flags.example.com", entries, previous)
	if err != nil {
		t.Fatal(err)
	}
	want := Rendered{
		Data: map[string]string{
			"flags.example.com/newCheckout": "true", "flags.example.com/color": "green", "flags.example.com/limits": `{"rps":1}`,
			"flags.example.com/kept": "before", "flags.example.com/defaulted": "[1,2]",
		},
		Outcomes: []Outcome{
			{Name: "newCheckout", State: Evaluated, Text: "true"},
			{Name: "color", State: Evaluated, Text: "green"},
			{Name: "limits", State: Evaluated, Text: `{"rps":1}`},
			{Name: "kept", State: Kept, Text: "before"},
			{Name: "foreign", State: Absent},
			{Name: "defaulted", State: Default, Text: "[1,2]"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rendered (-want +got):\n%s", diff)
	}
	again, err := Annotations("flags.example.com", entries, got.Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Data["flags.example.com/kept"], again.Data["flags.example.com/kept"]); diff != "" {
		t.Errorf("what was kept, rendered again (-want +got):\n%s", diff)
	}
}

func TestAnnotationErrors(t *testing.T) {
	large := func(name string) Entry {
		return Entry{Name: name, State: Evaluated, Value: `"` + strings.Repeat("x", MaxAnnotationsSize/2) + `"`}
	}
	if _, err := Annotations("f.example", []Entry{{Name: "a b", State: Missing}}, nil); !errors.As(err, new(*EntryError)) {
		t.Errorf("got error %v for a bad name, want an EntryError", err)
	}
	if _, err := Annotations("f.example/", nil, nil); err == nil {
		t.Error("a prefix with a slash is accepted")
	}
	_, err := Annotations("f.example", []Entry{large("a"), large("b")}, nil)
	var tooLarge *TooLargeError
	if !errors.As(err, &tooLarge) {
		t.Fatalf("got error %v, want a TooLargeError", err)
	}
	// The keys count: twice f.example/ and one letter.
	if diff := cmp.Diff(&TooLargeError{Size: 131072 + 22, Limit: 131072}, tooLarge); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestValidatePrefix(t *testing.T) {
	valid := []string{"flags.example.com", "a", "a-b.c1", "mykubernetes.io", "k8s.io.example.com"}
	for _, prefix := range valid {
		if err := ValidatePrefix(prefix); err != nil {
			t.Errorf("%q is refused: %v", prefix, err)
		}
	}
	invalid := map[string]string{
		"":                        "not a DNS subdomain",
		"Flags.example.com":       "not a DNS subdomain",
		"flags.example.com/":      "not a DNS subdomain",
		"-a.b":                    "not a DNS subdomain",
		"a..b":                    "not a DNS subdomain",
		"a\n":                     "not a DNS subdomain",
		strings.Repeat("a.", 127): "not a DNS subdomain",
		"kubernetes.io":           "kubernetes.io belongs to Kubernetes",
		"kubectl.kubernetes.io":   "kubernetes.io belongs to Kubernetes",
		"x.k8s.io":                "k8s.io belongs to Kubernetes",
	}
	for prefix, want := range invalid {
		if err := ValidatePrefix(prefix); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v for %q, want one that says %q", err, prefix, want)
		}
	}
}
