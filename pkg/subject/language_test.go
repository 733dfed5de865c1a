package subject

import (
	"errors"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
)

// parsed is an expression as packages get it that extend the environment.
func parsed(t *testing.T, source string) (*cel.Env, *cel.Ast) {
	t.Helper()
	env, err := Environment()
	if err != nil {
		t.Fatal(err)
	}
	checked, issues := env.Compile(Alias(source))
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	return env, checked
}

func TestCheckUses(t *testing.T) {
	cases := map[string]struct {
		source, message string
		column          int
		missing         bool
	}{
		"what the unit has is fine": {source: "cluster.name + namespace.metadata.labels['a']"},
		"a variable that it lacks is told with its place": {
			source: "cluster.name + workload.name", column: 15, missing: true,
			message: "workload does not exist for unit Namespace, which has namespace, cluster",
		},
		"an object as a whole is told with its place": {
			source: "[namespace]", column: 1, message: "namespace is an object and not a value; name a field, such as namespace.name",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, checked := parsed(t, tc.source)
			native := checked.NativeRep()
			err := CheckUses(native.Expr(), UnitNamespace)
			if tc.message == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var use *UseError
			if !errors.As(err, &use) {
				t.Fatalf("got %v, want a UseError", err)
			}
			column := native.SourceInfo().GetStartLocation(use.ID).Column()
			if use.Error() != tc.message || use.IsMissing() != tc.missing || column != tc.column {
				t.Errorf("got %q, missing %t, at %d; want %q, %t, at %d", use, use.IsMissing(), column, tc.message, tc.missing, tc.column)
			}
		})
	}
}

func TestAnExtendedEnvironmentReadsObjects(t *testing.T) {
	env, checked := parsed(t, "namespace.metadata.labels['a'] + cluster.name")
	if !IsCheap(env, checked) {
		t.Error("reading a label is not cheap")
	}
	program, err := env.Program(checked)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Namespace: &Object{Labels: map[string]string{"a": "x"}}, Cluster: "y"}
	if got, _, err := program.Eval(NewActivation(in)); err != nil || got != types.String("xy") {
		t.Errorf("got %v, %v; want xy", got, err)
	}
	if got := Unalias(Alias("no namespace here")); got != "no namespace here" {
		t.Errorf("got %q", got)
	}
	if got := OneLine("a\nb"); got != "a b" {
		t.Errorf("got %q", got)
	}
}

func TestTheCostOfLoopsIsNotKnownInAdvance(t *testing.T) {
	env, checked := parsed(t, "namespace.metadata.labels.all(a, namespace.metadata.labels.all(b, a + b != ''))")
	if IsCheap(env, checked) {
		t.Error("a loop over as many labels as there are is cheap")
	}
	if checked.NativeRep().Expr().Kind() != ast.ComprehensionKind {
		t.Error("the expression is no loop")
	}
}
