package eval

// The types in this file are a document as it was decoded, before Compile. Strings are parts of the document's text.

// tristate is an optional boolean.
type tristate uint8

const (
	unset tristate = iota
	no
	yes
)

// rawSpec is a gate, dynamic config, experiment, autotune or layer.
type rawSpec struct {
	name   string
	entity string
	salt   string
	idType string
	// text is the whole spec; two specs with equal text and equal conditions answer alike.
	text                string
	defaultValue        returnable
	rules               []rawRule
	explicitParameters  []string
	targetAppIDs        []string
	version             int64 // -1 when absent
	enabled             bool
	isActive            tristate
	sharedParameters    tristate
	forwardAllExposures bool
	useNewLayerEval     bool
}

// rawRule is one rule of a spec, or an entry of override_rules.
type rawRule struct {
	id             string
	idType         string
	salt           string
	groupName      string
	configDelegate string
	returnValue    returnable
	passPercentage float64
	samplingRate   int64
	// firstCondition and conditions are its part of the document's ruleConditions.
	firstCondition, conditions int
	hasSampling                bool
	hasSalt                    bool
	hasDelegate                bool
	experimentGroup            bool
}

// ruleCondition is a rule's reference to a condition: a hash, or in a v1 document the condition itself.
type ruleCondition struct {
	hash    string
	inlined *rawCondition
}

// rawCondition is an entry of condition_map.
type rawCondition struct {
	kind        string
	operator    string
	field       string
	salt        string
	idType      string
	target      string // JSON, "" when absent
	text        string
	hasOperator bool
	hasField    bool
}

// returnable is a return or default value. For gates only the literal counts, for configs only the object.
type returnable struct {
	// object is the JSON text of an object, "" for booleans and null.
	object string
	// literal is yes and no for true and false.
	literal tristate
}

// rawMapping sends the users of some override rules from one spec to another.
type rawMapping struct {
	target string
	rules  []rawMappingRule
}

type rawMappingRule struct {
	name  string
	start int64 // Unix milliseconds; 0 is always
}

// rawParameter is one parameter of a parameter store.
type rawParameter struct {
	kind parameterKind
	ref  string
	// parameter is the name of the parameter read from a config, experiment or layer.
	parameter string
	// value is the static value or the one for a passing gate, fallback the one for a failing gate.
	value, fallback string
}

type parameterKind uint8

const (
	parameterStatic parameterKind = iota
	parameterGate
	parameterDynamicConfig
	parameterExperiment
	parameterLayer
)

// rawStore is a parameter store.
type rawStore struct {
	name         string
	text         string
	parameters   map[string]rawParameter
	targetAppIDs []string
}

func (s *rawStore) setName(name, text string) { s.name, s.text = name, text }

// rawBandit is a contextual multi-armed bandit, an entry of cmab_configs.
type rawBandit struct {
	name         string
	text         string
	salt         string
	idType       string
	defaultValue returnable
	targetGate   string
	groups       []rawArm
	targetAppIDs []string
	models       map[string]rawModel
	version      int64
	sampleRate   float64
	enabled      bool
	higherBetter bool
	hasGate      bool
	hasModels    bool
}

func (b *rawBandit) setName(name, text string) { b.name, b.text = name, text }

// rawArm is one group of a bandit.
type rawArm struct {
	name  string
	id    string
	value returnable
}

// rawModel holds the learnt weights of one arm.
type rawModel struct {
	alpha, intercept, records float64
	numerical                 map[string]float64
	categorical               map[string]map[string]float64
}
