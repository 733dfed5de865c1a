// Package gate decides whether rollouts may proceed. An [Expression] over Statsig's answers is evaluated for one user
// to a [Verdict], and a [Policy] turns what is seen from one look to the next into the states Open, Closed and Unknown.
//
// The package is pure: it does no IO, knows no Kubernetes and reads no clock; the instant is an argument. An Expression
// is immutable and safe for concurrent use. All else are values.
//
// # The language
//
// Expressions are CEL, have at most [MaxExpressionLength] bytes, and have to give true or false:
//
//	gate('release_checkout') && config('freeze').state != 'on'
//
// Functions, whose names are written out in quotes, so that it is known before anything is evaluated what an expression
// depends on:
//
//	gate('name')                        true or false
//	config('name').a.b                  a value of a dynamic config, by its path
//	experiment('name').parameter        a value of the group that the user is in
//	layer('name').parameter             a layer's parameter
//	parameterStore('name').parameter    a parameter, wherever the store takes it from
//
// A layer and a store give one parameter at a time, whose name is written out too: .parameter, ['parameter'], or
// .?parameter.
//
// Variables, with the fields that package subject describes:
//
//	namespace   name, metadata (labels, annotations, …)
//	cluster     name
//
// Beside these there are CEL's standard functions and macros, optional values, and the string extensions of package
// subject. The pattern of matches has to be a literal.
//
// Numbers compare with each other, whichever way they are written: 5, 5.0 and the JSON number 5 are equal, and 2.5 < 3.
// Arithmetic takes operands of one kind; a JSON number that is written as an integer is an int, any other a double, and
// double(…) makes one of either.
//
// # What may be missing
//
// Without an entity or a value there is no answer, and the gate's failure policy decides. The verdict's problem is then
//
//	EntityNotFound        the specs have no gate, config, experiment, layer or store of that name
//	ValueNotFound         it has no such path or parameter: config freeze has no "state"
//	UnsupportedOperator   its rules need what the evaluator does not know
//	EvaluationFailed      its rules nest too deeply, or in a circle
//	ExpressionFailed      the expression itself fails: unlike values compared, a label missing, a result that is no bool
//
// Values that may be missing are allowed for by
//
//	config('freeze').?state.orValue('off') == 'on'    another value stands in
//	has(config('freeze').state)                       the absence itself is the value
//	'state' in config('freeze')                       the same
//
// These allow for a missing last step only, unless the steps before it are optional as well, and never for a missing
// entity.
//
// && and || do not mind what is wrong with one side where the other decides: gate('none') && gate('no') is false, and
// gate('none') || gate('yes') true, in either order.
//
// # What decided
//
// A verdict names the evaluations that decided, in its reason and for exposures: of && that is false its first false
// side, of || that is true its first true side, otherwise both; of a choice its condition and the branch it chose; of
// anything else all that was asked in it. Exposures of the others are not told, though they may have been evaluated.
//
// # What it costs
//
// Each entity, and each parameter of a store, is evaluated at most once per evaluation of an expression, and only when
// it is needed. Evaluating costs at most [MaxCost] of CEL's units, where comparing lists and objects costs one for
// every ten bytes of them; ExpressionFailed beyond that. Where the cost cannot be told in advance, as in loops over a
// config's lists, the expression is gone through twice: once to count the cost, and once to see what decided.
package gate
