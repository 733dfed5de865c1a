package v1alpha1_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// The tests in this file check the conventions of our API types, in the spirit of
// kube-api-linter: every field says whether it may be left out, what it means and
// how large it can get. A violation names the place and what to do. The rules are
// in apilint_rules_test.go.

// maxCRDSize is where a CRD becomes a burden for etcd and for kubectl apply, in bytes.
const maxCRDSize = 200 << 10

func TestAPITypesFollowTheConventions(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var l linter
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "zz_generated") {
			continue
		}
		l.parse(t, file, nil)
	}
	if kinds := l.lint(); kinds == 0 {
		t.Error("no kind found: a kind has the marker +kubebuilder:object:root=true and a field Spec")
	}
	for _, problem := range l.problems {
		t.Error(problem)
	}
}

func TestCRDsAreSmallAndHaveNoDefaultsInListItems(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "crd", "bases", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal(`no CRD found in config/crd/bases: run "make manifests"`)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > maxCRDSize {
			t.Errorf("%s has %d bytes, more than %d", file, len(data), maxCRDSize)
		}
		var crd any
		if err := yaml.Unmarshal(data, &crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, path := range itemDefaults(crd, "", false) {
			t.Errorf("%s: %s: a default in a list item shows as a difference in GitOps tools forever: resolve it in code", file, path)
		}
	}
}

func TestItemDefaultsAreFound(t *testing.T) {
	const crd = `
properties:
  mode: {default: "on"}
  default: {type: string}
  entries:
    items:
      properties:
        default: {type: string}
        kind: {default: Gate}
        nested: {properties: {depth: {default: 1}}}
`
	var schema any
	if err := yaml.Unmarshal([]byte(crd), &schema); err != nil {
		t.Fatal(err)
	}
	got := itemDefaults(schema, "", false)
	slices.Sort(got)
	want := []string{".entries[].kind", ".entries[].nested.depth"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("itemDefaults() (-want +got):\n%s", diff)
	}
}

// itemDefaults returns the paths of the schemas that have a default and lie in a
// list item.
func itemDefaults(schema any, path string, inItem bool) []string {
	var found []string
	switch schema := schema.(type) {
	case map[string]any:
		if _, ok := schema["default"]; ok && inItem {
			found = append(found, path)
		}
		for key, value := range schema {
			switch key {
			case "properties":
				// The keys are names of fields here, of which one may be "default".
				if fields, ok := value.(map[string]any); ok {
					for name, field := range fields {
						found = append(found, itemDefaults(field, path+"."+name, inItem)...)
					}
				}
			case "items":
				found = append(found, itemDefaults(value, path+"[]", true)...)
			case "default":
			default:
				found = append(found, itemDefaults(value, path, inItem)...)
			}
		}
	case []any:
		for _, value := range schema {
			found = append(found, itemDefaults(value, path, inItem)...)
		}
	}
	return found
}

func TestLinterFindsViolations(t *testing.T) {
	const ok = "// f is.\n// +optional\n"
	tests := map[string]struct {
		field string
		want  string // empty: no problem
	}{
		"a bounded string is fine":             {field: ok + "// +kubebuilder:validation:MaxLength=9\nF string `json:\"f,omitempty\"`"},
		"an enum by its type is fine":          {field: ok + "F Mode `json:\"f,omitempty\"`"},
		"a bounded duration is fine":           {field: ok + "// +kubebuilder:validation:XValidation:rule=\"duration(self) < duration('1h')\"\nF *metav1.Duration `json:\"f,omitempty\"`"},
		"a bounded list is fine":               {field: ok + "// +listType=set\n// +kubebuilder:validation:MaxItems=3\nF []Mode `json:\"f,omitempty\"`"},
		"an explained map is fine":             {field: ok + "// +mapType=granular\n// +kubebuilder:validation:MaxProperties=3\nF map[string]Mode `json:\"f,omitempty\"`"},
		"a field without a comment":            {field: "// +optional\nF bool `json:\"f,omitempty\"`", want: `its comment must start with "f "`},
		"a comment that names something else":  {field: "// F is.\n// +optional\nF bool `json:\"f,omitempty\"`", want: `its comment must start with "f "`},
		"neither optional nor required":        {field: "// f is.\nF bool `json:\"f,omitempty\"`", want: "needs either +optional or +required"},
		"both optional and required":           {field: ok + "// +required\nF bool `json:\"f,omitempty\"`", want: "needs either +optional or +required"},
		"optional, but always written":         {field: ok + "F bool `json:\"f\"`", want: "is +optional and needs omitempty"},
		"required, but left out when empty":    {field: "// f is.\n// +required\nF bool `json:\"f,omitempty\"`", want: "is +required and must not have omitempty"},
		"no JSON name":                         {field: ok + "F bool", want: "needs a JSON name"},
		"an unbounded string":                  {field: ok + "F string `json:\"f,omitempty\"`", want: "a string needs MaxLength or Enum"},
		"an unbounded string type":             {field: ok + "F Text `json:\"f,omitempty\"`", want: "a string needs MaxLength or Enum"},
		"an integer without a minimum":         {field: ok + "// +kubebuilder:validation:Maximum=9\nF int32 `json:\"f,omitempty\"`", want: "an integer needs Minimum"},
		"an integer in a spec without maximum": {field: ok + "// +kubebuilder:validation:Minimum=1\nF int32 `json:\"f,omitempty\"`", want: "an integer in a spec needs Maximum"},
		"an integer of no fixed size":          {field: ok + "F int `json:\"f,omitempty\"`", want: "int is not portable: use int32 or int64"},
		"a float":                              {field: ok + "F float64 `json:\"f,omitempty\"`", want: "floats do not survive a round trip"},
		"a list without a bound":               {field: ok + "// +listType=atomic\nF []Mode `json:\"f,omitempty\"`", want: "a list needs MaxItems"},
		"a list without a type":                {field: ok + "// +kubebuilder:validation:MaxItems=3\nF []Mode `json:\"f,omitempty\"`", want: "a list needs +listType=map, set or atomic"},
		"a keyed list without a key":           {field: ok + "// +listType=map\n// +kubebuilder:validation:MaxItems=3\nF []Mode `json:\"f,omitempty\"`", want: "+listType=map needs +listMapKey"},
		"a list of unbounded strings":          {field: ok + "// +listType=set\n// +kubebuilder:validation:MaxItems=3\nF []string `json:\"f,omitempty\"`", want: "a string needs MaxLength or Enum"},
		"an unexplained map":                   {field: ok + "// +kubebuilder:validation:MaxProperties=3\nF map[string]Mode `json:\"f,omitempty\"`", want: "a map hides its keys"},
		"an unbounded map":                     {field: ok + "// +mapType=atomic\nF map[string]Mode `json:\"f,omitempty\"`", want: "a map needs MaxProperties"},
		"an unbounded duration":                {field: ok + "F *metav1.Duration `json:\"f,omitempty\"`", want: "a duration needs a rule"},
		"a type that the rules do not know":    {field: ok + "F corev1.Secret `json:\"f,omitempty\"`", want: "corev1.Secret is not known here"},
		"a phase":                              {field: "// phase is.\n// +optional\nPhase Mode `json:\"phase,omitempty\"`", want: "a phase cannot grow: use conditions"},
		"a field of a nested type":             {field: ok + "F *Nested `json:\"f,omitempty\"`", want: "Nested.Bare: needs a JSON name"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			source := `package v1
// +kubebuilder:object:root=true
type Kind struct { 
	// spec is.
	// +required
	Spec Spec ` + "`json:\"spec\"`" + `
}
type Spec struct {
` + tc.field + `
}
// +kubebuilder:validation:Enum=A;B
type Mode string
type Text string
type Nested struct { Bare bool }
`
			var l linter
			l.parse(t, "types.go", source)
			l.lint()
			if tc.want == "" {
				if diff := cmp.Diff([]string(nil), l.problems); diff != "" {
					t.Errorf("problems (-want +got):\n%s", diff)
				}
				return
			}
			if !slices.ContainsFunc(l.problems, func(p string) bool { return strings.Contains(p, tc.want) }) {
				t.Errorf("problems = %q, want one with %q", l.problems, tc.want)
			}
		})
	}
}
