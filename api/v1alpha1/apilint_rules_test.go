package v1alpha1_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// linter checks the types that are reachable from the spec and status of kinds.
type linter struct {
	files    token.FileSet
	types    map[string]typeDecl
	visited  map[string]bool
	problems []string
}

type typeDecl struct {
	expr    ast.Expr
	markers markers
}

// place is a field, and whether it belongs to a spec.
type place struct {
	pos    token.Pos
	name   string // Type.Field
	inSpec bool
}

// markers are the lines of a comment that start with a plus sign, without it.
type markers []string

func (m markers) has(prefix string) bool {
	return slices.ContainsFunc(m, func(marker string) bool {
		rest, ok := strings.CutPrefix(marker, prefix)
		return ok && (rest == "" || strings.ContainsAny(rest[:1], "=:"))
	})
}

// bounds reports whether one of the named validations is present.
func (m markers) bounds(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return m.has("kubebuilder:validation:"+name) || m.has("kubebuilder:validation:items:"+name)
	})
}

// splitComment separates the markers of a comment from its text.
func splitComment(groups ...*ast.CommentGroup) (text string, found markers) {
	var lines []string
	for _, group := range groups {
		if group == nil {
			continue
		}
		for _, comment := range group.List {
			line := strings.TrimSpace(strings.TrimPrefix(comment.Text, "//"))
			if marker, ok := strings.CutPrefix(line, "+"); ok {
				found = append(found, marker)
			} else if line != "" {
				lines = append(lines, line)
			}
		}
	}
	return strings.Join(lines, " "), found
}

// parse collects the types of one file; source is nil to read it from disk.
func (l *linter) parse(t *testing.T, name string, source any) {
	t.Helper()
	file, err := parser.ParseFile(&l.files, name, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if l.types == nil {
		l.types, l.visited = map[string]typeDecl{}, map[string]bool{}
	}
	for _, decl := range file.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range general.Specs {
			if spec, ok := spec.(*ast.TypeSpec); ok {
				_, found := splitComment(general.Doc, spec.Doc)
				l.types[spec.Name.Name] = typeDecl{expr: spec.Type, markers: found}
			}
		}
	}
}

// lint checks every kind and returns how many there are.
func (l *linter) lint() (kinds int) {
	for name, decl := range l.types {
		body, ok := decl.expr.(*ast.StructType)
		if !ok || !decl.markers.has("kubebuilder:object:root") {
			continue
		}
		for _, field := range body.Fields.List {
			if len(field.Names) == 1 && (field.Names[0].Name == "Spec" || field.Names[0].Name == "Status") {
				kinds++
				l.field(name, field, field.Names[0].Name == "Spec")
			}
		}
	}
	slices.Sort(l.problems)
	return kinds
}

func (l *linter) problem(at place, format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf("%s: %s: %s", l.files.Position(at.pos), at.name, fmt.Sprintf(format, args...)))
}

// field checks what is true of every field, then its type.
func (l *linter) field(owner string, field *ast.Field, inSpec bool) {
	at := place{pos: field.Pos(), name: owner + ".(embedded)", inSpec: inSpec}
	if len(field.Names) > 0 {
		at.name = owner + "." + field.Names[0].Name
	}
	text, found := splitComment(field.Doc)

	var tag string
	if field.Tag != nil {
		literal, err := strconv.Unquote(field.Tag.Value)
		if err != nil {
			l.problem(at, "its tag does not parse: %v", err)
			return
		}
		tag = reflect.StructTag(literal).Get("json")
	}
	name, options, _ := strings.Cut(tag, ",")
	if name == "" {
		l.problem(at, "needs a JSON name")
		return
	}

	if !strings.HasPrefix(text, name+" ") && !strings.HasPrefix(text, name+":") {
		l.problem(at, "its comment must start with %q and say meaning, default, bound and the reason that rejects it", name+" ")
	}
	optional := found.has("optional")
	leftOut := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
	switch {
	case optional == found.has("required"):
		l.problem(at, "needs either +optional or +required")
	case optional && !leftOut:
		l.problem(at, "is +optional and needs omitempty")
	case !optional && leftOut:
		l.problem(at, "is +required and must not have omitempty")
	}
	if name == "phase" {
		l.problem(at, "a phase cannot grow: use conditions")
	}
	l.fieldType(at, field.Type, found)
}

// fieldType checks that values of a type are bounded. The markers are those of
// the field and of the named types on the way.
func (l *linter) fieldType(at place, expr ast.Expr, found markers) {
	switch expr := expr.(type) {
	case *ast.StarExpr:
		l.fieldType(at, expr.X, found)
	case *ast.Ident:
		l.named(at, expr.Name, found)
	case *ast.ArrayType:
		l.list(at, expr, found)
	case *ast.MapType:
		if !found.has("mapType") {
			l.problem(at, "a map hides its keys from validation and from patches: use a list of named items, or explain it with +mapType")
		}
		if !found.bounds("MaxProperties") {
			l.problem(at, "a map needs MaxProperties")
		}
		l.fieldType(at, expr.Value, found)
	case *ast.SelectorExpr:
		l.external(at, fmt.Sprintf("%s.%s", expr.X, expr.Sel), found)
	default:
		l.problem(at, "types of this form (%T) are not known here", expr)
	}
}

func (l *linter) named(at place, name string, found markers) {
	switch name {
	case "bool":
	case "string":
		if !found.bounds("MaxLength", "Enum", "Format") {
			l.problem(at, "a string needs MaxLength or Enum, here or at its type")
		}
	case "int32", "int64":
		if !found.bounds("Minimum") {
			l.problem(at, "an integer needs Minimum")
		}
		if at.inSpec && !found.bounds("Maximum") {
			l.problem(at, "an integer in a spec needs Maximum")
		}
	case "float32", "float64":
		l.problem(at, "floats do not survive a round trip through every client: use a string or an integer of a smaller unit")
	default:
		decl, ok := l.types[name]
		if !ok {
			l.problem(at, "%s is not portable: use int32 or int64, string, bool or a type of this package", name)
			return
		}
		body, ok := decl.expr.(*ast.StructType)
		if !ok {
			l.fieldType(at, decl.expr, slices.Concat(found, decl.markers))
			return
		}
		// A type that is used in a spec and in a status is checked as part of both.
		key := fmt.Sprint(name, at.inSpec)
		if l.visited[key] {
			return
		}
		l.visited[key] = true
		for _, field := range body.Fields.List {
			l.field(name, field, at.inSpec)
		}
	}
}

func (l *linter) list(at place, list *ast.ArrayType, found markers) {
	if !found.bounds("MaxItems") {
		l.problem(at, "a list needs MaxItems")
	}
	switch {
	case found.has("listType=map"):
		if !found.has("listMapKey") {
			l.problem(at, "+listType=map needs +listMapKey")
		}
	case !found.has("listType=set") && !found.has("listType=atomic"):
		l.problem(at, "a list needs +listType=map, set or atomic")
	}
	l.fieldType(at, list.Elt, found)
}

func (l *linter) external(at place, name string, found markers) {
	switch name {
	case "metav1.LabelSelector", "metav1.Condition":
	case "metav1.Duration":
		bounded := slices.ContainsFunc(found, func(marker string) bool {
			return strings.Contains(marker, "XValidation") && strings.Contains(marker, "duration(self)")
		})
		if !bounded {
			l.problem(at, "a duration needs a rule that bounds duration(self)")
		}
	case "metav1.Time":
		if at.inSpec && !strings.HasSuffix(at.name, ".Until") {
			l.problem(at, "a spec has no times but those until which a user wants something")
		}
	case "runtime.RawExtension", "apiextensionsv1.JSON":
		if !found.has("kubebuilder:pruning:PreserveUnknownFields") {
			l.problem(at, "any JSON needs +kubebuilder:pruning:PreserveUnknownFields, or it is pruned")
		}
	default:
		l.problem(at, "%s is not known here: if it is bounded, add it to this test", name)
	}
}
