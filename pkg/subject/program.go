package subject

import (
	"fmt"

	"github.com/google/cel-go/interpreter"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// Program is a compiled template. It is immutable and safe for concurrent use.
type Program struct {
	unit          Unit
	defaultUserID bool
	// texts holds nil for an attribute that is left out.
	texts     [textCount]*expression
	customIDs []namedAttribute
	custom    []namedAttribute
	private   []namedAttribute
	uses      Uses
}

// namedAttribute is an entry of one of the user's maps.
type namedAttribute struct {
	expression *expression
	name       string
}

// Uses returns what the program reads.
func (p *Program) Uses() Uses { return p.uses }

// User makes the user for one unit. An expression that fails gives a [*FieldError] and no user.
func (p *Program) User(in Input) (*eval.User, error) {
	attributes, err := p.Attributes(in)
	if err != nil {
		return nil, err
	}
	return eval.NewUser(attributes), nil
}

// Attributes returns what [Program.User] makes the user of.
func (p *Program) Attributes(in Input) (eval.UserAttributes, error) {
	if err := p.check(in); err != nil {
		return eval.UserAttributes{}, err
	}
	vars := &activation{in}
	var texts [textCount]string
	if p.defaultUserID {
		texts[userID] = defaultUserID(p.unit, in)
	}
	for field, compiled := range p.texts {
		if compiled == nil {
			continue
		}
		text, _, err := compiled.text(vars)
		if err != nil {
			return eval.UserAttributes{}, err
		}
		texts[field] = text
	}
	customIDs, err := values(p.customIDs, vars, (*expression).text)
	if err != nil {
		return eval.UserAttributes{}, err
	}
	custom, err := values(p.custom, vars, (*expression).json)
	if err != nil {
		return eval.UserAttributes{}, err
	}
	private, err := values(p.private, vars, (*expression).json)
	if err != nil {
		return eval.UserAttributes{}, err
	}
	return eval.UserAttributes{
		UserID: texts[userID], Email: texts[email], IP: texts[ip], UserAgent: texts[userAgent], Country: texts[country],
		Locale: texts[locale], AppVersion: texts[appVersion],
		CustomIDs: customIDs, Custom: custom, PrivateAttributes: private,
	}, nil
}

// values evaluates the entries of one of the user's maps; nil when there are none.
func values[V any](
	attributes []namedAttribute, vars *activation, evaluate func(*expression, interpreter.Activation) (V, bool, error),
) (map[string]V, error) {
	if len(attributes) == 0 {
		return nil, nil
	}
	out := make(map[string]V, len(attributes))
	for _, attribute := range attributes {
		value, found, err := evaluate(attribute.expression, vars)
		if err != nil {
			return nil, err
		}
		if found {
			out[attribute.name] = value
		}
	}
	return out, nil
}

// check reports an object that the program reads and the input lacks.
func (p *Program) check(in Input) error {
	switch {
	case p.uses.Workload.Any && in.Workload == nil:
		return missing(workloadVariable)
	case p.uses.Pod.Any && in.Pod == nil:
		return missing(podVariable)
	case p.uses.Namespace.Any && in.Namespace == nil:
		return missing(namespaceVariable)
	}
	return nil
}

func missing(variable string) error {
	return fmt.Errorf("there is no %s here, but the user's expressions read it", variable)
}

// defaultVariable is what each unit's default user ID is read from.
var defaultVariable = map[Unit]string{
	UnitWorkload:  workloadVariable,
	UnitPod:       podVariable,
	UnitNamespace: namespaceVariable,
}

// defaultUserID is the value of
//
//	workload.namespace + '/' + workload.name                       for unit Workload
//	pod.metadata.namespace + '/' + pod.metadata.name               for unit Pod
//	namespace.metadata.name                                        for unit Namespace
//
// without the detour through CEL, as most templates have it.
func defaultUserID(unit Unit, in Input) string {
	switch unit {
	case UnitWorkload:
		return in.Workload.Namespace + "/" + in.Workload.Name
	case UnitPod:
		return in.Pod.Namespace + "/" + in.Pod.Name
	case UnitNamespace:
		return in.Namespace.Name
	default:
		return ""
	}
}

// activation gives an input's objects to CEL.
type activation struct{ in Input }

// ResolveName returns the value of a variable.
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case workloadVariable:
		return a.in.Workload, a.in.Workload != nil
	case podVariable:
		return a.in.Pod, a.in.Pod != nil
	case namespaceAlias:
		return a.in.Namespace, a.in.Namespace != nil
	case clusterVariable:
		return a.in.Cluster, true
	}
	return nil, false
}

// Parent returns nil: there are no outer variables.
func (a *activation) Parent() interpreter.Activation { return nil }
