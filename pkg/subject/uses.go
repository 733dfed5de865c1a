package subject

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
)

// Uses says what a template's expressions read, so that what they do not read need not be fetched or watched.
type Uses struct {
	Workload, Pod, Namespace ObjectUses
	// Cluster is whether the cluster's name is read.
	Cluster bool
}

// ObjectUses says what is read of one object.
type ObjectUses struct {
	// Any is whether anything is read at all. Apart from labels and annotations, whatever can be read of an object
	// stays the same for as long as it exists.
	Any bool
	// Labels and Annotations are whether any label or annotation is read.
	Labels, Annotations bool
}

// object returns what is recorded of an object's variable, nil for any other name.
func (u *Uses) object(variable string) *ObjectUses {
	switch variable {
	case workloadVariable:
		return &u.Workload
	case podVariable:
		return &u.Pod
	case namespaceVariable:
		return &u.Namespace
	}
	return nil
}

// add records what expr reads. It refuses variables that the unit does not have, and objects used as a whole: those
// have no value that an attribute could take, and would hide what is read of them.
func (u *Uses) add(expr ast.Expr, unit Unit) error {
	walk := usesWalk{uses: u, selected: map[int64]struct{}{}}
	ast.PreOrderVisit(expr, ast.NewExprVisitor(walk.visit))
	for _, variable := range walk.variables {
		if has := variables[unit]; !slices.Contains(has, variable.name) {
			return &UseError{ID: variable.id, missing: true, message: fmt.Sprintf(
				"%s does not exist for unit %s, which has %s", variable.name, unit, strings.Join(has, ", "))}
		}
	}
	if len(walk.whole) > 0 {
		whole := walk.whole[0]
		return &UseError{ID: whole.id, message: fmt.Sprintf(
			"%[1]s is an object and not a value; name a field, such as %[1]s.name", whole.name)}
	}
	return nil
}

// UseError says which part of an expression reads what it may not.
type UseError struct {
	// ID is that of the part in the expression's AST.
	ID      int64
	message string
	missing bool
}

// Error returns the message.
func (e *UseError) Error() string { return e.message }

// IsMissing reports whether what is read does not exist for the unit, rather than being no value.
func (e *UseError) IsMissing() bool { return e.missing }

// usesWalk visits an expression from the outside in: a field's selection is seen before what it is selected from.
type usesWalk struct {
	uses *Uses
	// variables and whole list the variables seen, and the objects used as a whole.
	variables, whole []named
	// selected holds the IDs of the expressions that a field is selected from.
	selected map[int64]struct{}
}

// named is a part of an expression, by its ID in the AST, and what it names.
type named struct {
	id   int64
	name string
}

func (w *usesWalk) visit(e ast.Expr) {
	switch e.Kind() {
	case ast.IdentKind:
		w.visitVariable(e)
	case ast.SelectKind:
		w.visitField(e)
	default: // the others read no object themselves
	}
}

func (w *usesWalk) visitVariable(e ast.Expr) {
	name := unaliased(e.AsIdent())
	switch object := w.uses.object(name); {
	case object != nil:
		object.Any = true
	case name == clusterVariable:
		w.uses.Cluster = true
	default:
		return
	}
	w.variables = append(w.variables, named{e.ID(), name})
	if _, ok := w.selected[e.ID()]; !ok {
		w.whole = append(w.whole, named{e.ID(), name})
	}
}

func (w *usesWalk) visitField(e ast.Expr) {
	selection := e.AsSelect()
	operand := selection.Operand()
	w.selected[operand.ID()] = struct{}{}
	if name, ok := metadataOf(e); ok && !selection.IsTestOnly() {
		if _, ok := w.selected[e.ID()]; !ok {
			w.whole = append(w.whole, named{e.ID(), name + ".metadata"})
		}
	}
	if name, ok := metadataOf(operand); ok {
		if object := w.uses.object(name); object != nil {
			object.Labels = object.Labels || selection.FieldName() == "labels"
			object.Annotations = object.Annotations || selection.FieldName() == "annotations"
		}
	}
}

// metadataOf returns the variable in an expression of the form variable.metadata.
func metadataOf(e ast.Expr) (variable string, ok bool) {
	if e.Kind() != ast.SelectKind {
		return "", false
	}
	selection := e.AsSelect()
	if selection.FieldName() != "metadata" || selection.Operand().Kind() != ast.IdentKind {
		return "", false
	}
	return unaliased(selection.Operand().AsIdent()), true
}
