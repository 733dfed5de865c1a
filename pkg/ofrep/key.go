package ofrep

import (
	"net/http"
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// kindWord is what stands for a kind in front of a key, and in metadata.
func kindWord(k eval.Kind) string {
	switch k {
	case eval.KindGate:
		return "gate"
	case eval.KindDynamicConfig:
		return "dynamicConfig"
	case eval.KindExperiment:
		return "experiment"
	case eval.KindLayer:
		return "layer"
	default:
		return "parameterStore"
	}
}

// maxKeyBytes is the length of the longest key that is looked up. No name of Statsig's comes near it, and each dot in a
// key makes for another look.
const maxKeyBytes = 1 << 10

// kinds are all kinds.
var kinds = [...]eval.Kind{
	eval.KindGate, eval.KindDynamicConfig, eval.KindExperiment, eval.KindLayer, eval.KindParameterStore,
}

// cutKind splits off the kind that a key begins with. Other words before a colon are part of a name.
func cutKind(key string) (kind eval.Kind, name string, ok bool) {
	word, name, ok := strings.Cut(key, ":")
	if !ok {
		return 0, key, false
	}
	for _, kind := range kinds {
		if kindWord(kind) == word {
			return kind, name, true
		}
	}
	return 0, key, false
}

// find evaluates the flag that a key stands for; ok is false where there is none.
func (q *query) find(key string) (found evaluation, ok bool) {
	if len(key) > maxKeyBytes {
		return evaluation{}, false
	}
	if kind, name, explicit := cutKind(key); explicit {
		if found, ok = q.whole(kind, name); ok {
			return found, true
		}
		return q.split(name, func(name, parameter string) (evaluation, bool) { return q.parameter(kind, name, parameter) })
	}
	if found, ok = q.whole(eval.KindGate, key); ok {
		return found, true
	}
	if found, ok = q.config(key, q.whole); ok {
		return found, true
	}
	return q.split(key, q.anyParameter)
}

// split tries a key as a name with a parameter behind it, the longest name first.
func (q *query) split(key string, try func(name, parameter string) (evaluation, bool)) (found evaluation, ok bool) {
	for dot := strings.LastIndexByte(key, '.'); dot > 0; dot = strings.LastIndexByte(key[:dot], '.') {
		if dot == len(key)-1 {
			continue
		}
		if found, ok = try(key[:dot], key[dot+1:]); ok {
			return found, true
		}
	}
	return evaluation{}, false
}

// anyParameter reads a parameter of whichever kind of entity has the name.
func (q *query) anyParameter(name, parameter string) (found evaluation, ok bool) {
	found, ok = q.config(name, func(kind eval.Kind, name string) (evaluation, bool) { return q.parameter(kind, name, parameter) })
	if ok {
		return found, true
	}
	if found, ok = q.parameter(eval.KindLayer, name, parameter); ok {
		return found, true
	}
	return q.parameter(eval.KindParameterStore, name, parameter)
}

// config tries a name as that of a dynamic config or an experiment. Names that only local overrides know may be either.
func (q *query) config(name string, try func(eval.Kind, string) (evaluation, bool)) (found evaluation, ok bool) {
	if kind := q.evaluator.Snapshot().ConfigKind(name); kind != 0 {
		return try(kind, name)
	}
	if found, ok = try(eval.KindDynamicConfig, name); ok {
		return found, true
	}
	return try(eval.KindExperiment, name)
}

// notFound says that no flag has a key, and what to ask for instead.
func (q *query) notFound(key string) failure {
	kind, name, explicit := cutKind(key)
	for _, k := range []eval.Kind{eval.KindLayer, eval.KindParameterStore} {
		if (!explicit || k == kind) && q.evaluator.Snapshot().Has(eval.Ref{Kind: k, Name: name}) {
			return failure{http.StatusNotFound, codeFlagNotFound, "a " + kindWord(k) + " has no value as a whole: ask for " +
				kindWord(k) + ":" + name + ".PARAMETER"}
		}
	}
	return failure{http.StatusNotFound, codeFlagNotFound, "the project has no such gate, dynamic config, experiment or parameter"}
}
