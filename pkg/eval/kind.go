package eval

// Kind is a kind of entity that can be asked for.
type Kind uint8

// The kinds of entities. Experiments and dynamic configs share one name space; they differ in which overrides apply.
const (
	KindGate Kind = iota + 1
	KindDynamicConfig
	KindExperiment
	KindLayer
	KindParameterStore
)

// String is the kind's name in upper camel case.
func (k Kind) String() string {
	switch k {
	case KindGate:
		return "Gate"
	case KindDynamicConfig:
		return "DynamicConfig"
	case KindExperiment:
		return "Experiment"
	case KindLayer:
		return "Layer"
	case KindParameterStore:
		return "ParameterStore"
	default:
		return "Unknown"
	}
}

// Ref names one entity.
type Ref struct {
	Kind Kind
	Name string
}

// String is the kind and the name, such as Gate/new_checkout.
func (r Ref) String() string { return r.Kind.String() + "/" + r.Name }

// compareRefs orders by kind, then by name.
func compareRefs(a, b Ref) int {
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	switch {
	case a.Name < b.Name:
		return -1
	case a.Name > b.Name:
		return 1
	default:
		return 0
	}
}
