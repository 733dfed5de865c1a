package statsigpb

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/encoding/protowire"
)

// What follows are the messages that an entity consists of, each with the table of its fields and how it is written as
// JSON. Texts are parts of the envelope.

// spec is a gate, dynamic config, experiment, autotune or layer.
type spec struct {
	salt                []byte
	entity              string
	idType              []byte
	defaultValue        []byte // JSON
	rules               object // a JSON list
	explicitParameters  [][]byte
	targetAppIDs        [][]byte
	fieldsUsed          [][]byte
	version             uint64
	enabled             bool
	isActive            optional[bool]
	hasSharedParams     optional[bool]
	useNewLayerEval     optional[bool]
	forwardAllExposures optional[bool]
}

var specMessage = message[spec]{
	1:  func(s *spec, f field) error { return f.text(&s.salt) },
	2:  func(s *spec, f field) error { return f.bool(&s.enabled) },
	3:  func(s *spec, f field) error { return readReturnValue(&s.defaultValue, f) },
	4:  func(s *spec, f field) error { return f.name(entityNames, &s.entity) },
	5:  func(s *spec, f field) error { return readIDType(&s.idType, f) },
	6:  func(s *spec, f field) error { return f.uint(&s.version) },
	7:  func(s *spec, f field) error { return readRule(&s.rules, f) },
	8:  func(s *spec, f field) error { return read(&s.isActive, f.bool) },
	9:  func(s *spec, f field) error { return f.texts(&s.explicitParameters) },
	10: func(s *spec, f field) error { return read(&s.hasSharedParams, f.bool) },
	11: func(s *spec, f field) error { return f.texts(&s.targetAppIDs) },
	12: func(s *spec, f field) error { return read(&s.useNewLayerEval, f.bool) },
	13: func(s *spec, f field) error { return read(&s.forwardAllExposures, f.bool) },
	14: func(s *spec, f field) error { return f.texts(&s.fieldsUsed) },
}

// appendSpec appends the JSON of a spec message.
func appendSpec(buf, data []byte, checksum string) ([]byte, error) {
	// Written out, rules take about twice the room that they have on the wire.
	s := spec{defaultValue: null, rules: object{buf: append(make([]byte, 0, 2*len(data)+2), '[')}}
	if err := specMessage.read(data, &s); err != nil {
		return nil, err
	}
	if s.entity == "" {
		return nil, errors.New("the entity has no type")
	}
	o := object{buf: buf}
	o.begin()
	o.text("checksum", []byte(checksum))
	o.text("type", []byte(specType(s.entity)))
	o.text("entity", []byte(s.entity))
	o.text("salt", s.salt)
	o.bool("enabled", s.enabled)
	o.text("idType", s.idType)
	o.uint("version", uint64(uint32(s.version))) //nolint:gosec // a uint32 on the wire; protobuf cuts what is wider
	o.raw("defaultValue", s.defaultValue)
	o.raw("rules", append(s.rules.buf, ']'))
	o.optionalBool("isActive", s.isActive)
	o.texts("explicitParameters", s.explicitParameters)
	o.optionalBool("hasSharedParams", s.hasSharedParams)
	o.texts("targetAppIDs", s.targetAppIDs)
	o.optionalBool("useNewLayerEval", s.useNewLayerEval)
	o.optionalBool("forwardAllExposures", s.forwardAllExposures)
	o.texts("fieldsUsed", s.fieldsUsed)
	o.end()
	return o.buf, nil
}

type rule struct {
	name, id, salt, idType []byte
	groupName, delegate    []byte
	returnValue            []byte // JSON
	conditions             [][]byte
	wholePercentage        uint64
	percentage             optional[float64]
	samplingRate           optional[float64]
	isExperimentGroup      optional[bool]
	isControlGroup         optional[bool]
}

var ruleMessage = message[rule]{
	1:  func(r *rule, f field) error { return f.text(&r.name) },
	2:  func(r *rule, f field) error { return f.uint(&r.wholePercentage) },
	3:  func(r *rule, f field) error { return f.text(&r.id) },
	4:  func(r *rule, f field) error { return f.text(&r.salt) },
	5:  func(r *rule, f field) error { return f.texts(&r.conditions) },
	6:  func(r *rule, f field) error { return readIDType(&r.idType, f) },
	7:  func(r *rule, f field) error { return readReturnValue(&r.returnValue, f) },
	8:  func(r *rule, f field) error { return f.text(&r.groupName) },
	9:  func(r *rule, f field) error { return f.text(&r.delegate) },
	10: func(r *rule, f field) error { return read(&r.isExperimentGroup, f.bool) },
	11: func(r *rule, f field) error { return read(&r.isControlGroup, f.bool) },
	12: func(r *rule, f field) error { return read(&r.samplingRate, f.float) },
	13: func(r *rule, f field) error { return read(&r.percentage, f.double) },
}

// readRule adds the JSON of a rule to a list.
func readRule(list *object, f field) error {
	var data []byte
	if err := f.data(&data); err != nil {
		return err
	}
	r := rule{returnValue: null}
	if err := ruleMessage.read(data, &r); err != nil {
		return err
	}
	percentage := float64(uint32(r.wholePercentage)) //nolint:gosec // a uint32 on the wire
	if r.percentage.set {
		percentage = r.percentage.value
	}
	if math.IsNaN(percentage) || math.IsInf(percentage, 0) {
		return errors.New("the pass percentage is not finite")
	}
	list.separate()
	o := object{buf: list.buf}
	o.begin()
	o.text("name", r.name)
	o.text("id", r.id)
	o.optionalText("salt", r.salt)
	o.key("passPercentage")
	o.buf = strconv.AppendFloat(o.buf, percentage, 'g', -1, 64)
	o.key("conditions")
	o.list(r.conditions)
	o.text("idType", r.idType)
	o.raw("returnValue", r.returnValue)
	o.optionalText("groupName", r.groupName)
	o.optionalText("configDelegate", r.delegate)
	o.optionalBool("isExperimentGroup", r.isExperimentGroup)
	o.optionalBool("isControlGroup", r.isControlGroup)
	if r.samplingRate.set {
		rate := r.samplingRate.value
		if !(rate >= 0 && rate <= math.MaxUint32) || rate != math.Trunc(rate) {
			return errors.New("the sampling rate is not a whole number")
		}
		o.uint("samplingRate", uint64(rate))
	}
	o.end()
	list.buf = o.buf
	return nil
}

type condition struct {
	kind, operator string
	idType, field  []byte
	target         []byte // JSON, nil when absent
	additional     []byte // JSON, nil when absent
}

var conditionMessage = message[condition]{
	1: func(c *condition, f field) error { return f.name(conditionNames, &c.kind) },
	2: func(c *condition, f field) error { return readIDType(&c.idType, f) },
	3: func(c *condition, f field) error { return readAnyValue(&c.target, f) },
	4: func(c *condition, f field) error { return f.name(operatorNames, &c.operator) },
	5: func(c *condition, f field) error { return f.text(&c.field) },
	6: func(c *condition, f field) error { return f.data(&c.additional) },
}

// appendCondition appends the JSON of a condition message.
func appendCondition(buf, data []byte, checksum string) ([]byte, error) {
	var c condition
	if err := conditionMessage.read(data, &c); err != nil {
		return nil, err
	}
	if c.kind == "" {
		return nil, errors.New("the condition has no type")
	}
	o := object{buf: buf}
	o.begin()
	o.text("checksum", []byte(checksum))
	o.text("type", []byte(c.kind))
	o.text("idType", c.idType)
	if c.operator != "" {
		o.text("operator", []byte(c.operator))
	}
	o.optionalText("field", c.field)
	if c.target != nil {
		o.raw("targetValue", c.target)
	}
	if c.additional != nil {
		if err := checkTexts(c.additional); err != nil {
			return nil, fmt.Errorf("the additional values: %w", err)
		}
		o.raw("additionalValues", c.additional)
	}
	o.end()
	return o.buf, nil
}

// checkTexts keeps other values than texts out: the document would be refused for them as a whole.
func checkTexts(data []byte) error {
	if err := checkJSON(data); err != nil {
		return err
	}
	values := gjson.ParseBytes(data)
	texts := values.IsObject()
	values.ForEach(func(_, value gjson.Result) bool {
		texts = texts && value.Type == gjson.String
		return texts
	})
	if !texts {
		return errors.New("are not an object of texts")
	}
	return nil
}

// appendStore appends a parameter store, which is JSON on the wire too, with the envelope's checksum.
func appendStore(buf, data []byte, checksum string) ([]byte, error) {
	if err := checkJSON(data); err != nil {
		return nil, err
	}
	store := gjson.ParseBytes(data)
	if !store.Get("parameters").IsObject() {
		return nil, errors.New("a parameter store without parameters")
	}
	o := object{buf: buf}
	o.begin()
	o.text("checksum", []byte(checksum))
	store.ForEach(func(key, value gjson.Result) bool {
		if key.String() != "checksum" {
			o.raw(key.String(), []byte(value.Raw))
		}
		return true
	})
	o.end()
	return o.buf, nil
}

// Texts that come often enough to be worth sharing. None of them is ever changed.
var (
	null      = []byte("null")
	trueJSON  = []byte("true")
	falseJSON = []byte("false")

	idTypeTexts = map[string][]byte{"userID": []byte("userID"), "stableID": []byte("stableID")}
)

// name reads a number as the name that it stands for.
func (f field) name(names []string, to *string) error {
	var number uint64
	if err := f.uint(&number); err != nil {
		return err
	}
	text, ok := name(names, number)
	if !ok {
		return fmt.Errorf("the number %d stands for nothing known", number)
	}
	*to = text
	return nil
}

var idTypeMessage = message[[]byte]{
	1: func(to *[]byte, f field) error {
		var known string
		err := f.name(idTypeNames, &known)
		*to = idTypeTexts[known]
		return err
	},
	2: func(to *[]byte, f field) error { return f.text(to) },
}

func readIDType(to *[]byte, f field) error { return readOneOf(idTypeMessage, to, f) }

var returnValueMessage = message[[]byte]{
	1: readBool,
	2: readRaw,
}

func readReturnValue(to *[]byte, f field) error {
	*to = nil
	if err := readOneOf(returnValueMessage, to, f); err != nil {
		return err
	}
	if *to == nil {
		return errors.New("holds no value")
	}
	return nil
}

var anyValueMessage = message[[]byte]{
	1: func(to *[]byte, f field) error {
		var text []byte
		err := f.text(&text)
		*to = appendString(nil, text)
		return err
	},
	2: readBool,
	3: func(to *[]byte, f field) error {
		var bits uint64
		err := f.uint(&bits)
		*to = strconv.AppendInt(nil, int64(bits), 10)
		return err
	},
	4: func(to *[]byte, f field) error {
		var bits uint64
		err := f.uint(&bits)
		*to = strconv.AppendUint(nil, bits, 10)
		return err
	},
	5: func(to *[]byte, f field) error {
		var value float64
		err := f.double(&value)
		*to = appendDouble(nil, value)
		return err
	},
	6: readRaw,
}

func readAnyValue(to *[]byte, f field) error { return readOneOf(anyValueMessage, to, f) }

// readOneOf reads a message that holds one of several fields.
func readOneOf(m message[[]byte], to *[]byte, f field) error {
	var data []byte
	if err := f.data(&data); err != nil {
		return err
	}
	return m.read(data, to)
}

func readBool(to *[]byte, f field) error {
	*to = falseJSON
	if f.bits != 0 {
		*to = trueJSON
	}
	return f.is(protowire.VarintType)
}

func readRaw(to *[]byte, f field) error {
	if err := f.data(to); err != nil {
		return err
	}
	return checkJSON(*to)
}
