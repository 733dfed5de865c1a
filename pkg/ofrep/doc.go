// Package ofrep answers OpenFeature's remote evaluation protocol, OFREP 0.3, with a Statsig project's evaluator, so
// that any OpenFeature SDK can ask for Statsig's answers.
//
// # Flag keys
//
// OpenFeature knows flags by a key and asks for a type; the type isn't part of a request. Keys stand for Statsig's
// entities like this:
//
//	new_checkout          the gate, a boolean; without such a gate, the dynamic config or experiment, an object
//	limits.rps            the parameter rps of dynamic config or experiment limits, of layer limits, or of parameter
//	                      store limits, whichever there is, in this order; of the parameter's own type
//	gate:new_checkout     the gate, and nothing else
//	dynamicConfig:limits  the dynamic config; also dynamicConfig:limits.rps
//	experiment:color      the experiment; also experiment:color.shade
//	layer:ranking.model   the parameter of a layer; layers have no value as a whole
//	parameterStore:ui.theme
//
// Where a key without a kind could mean several entities, a whole name wins over a name with a parameter, and of those
// the longer name; keys may have 1,024 bytes. Who adds an entity to a project can so change what such a key means;
// keys with a kind are safe.
//
// # Contexts
//
// The targetingKey is the user ID. The attributes email, ip, userAgent, country, locale, appVersion, customIDs,
// custom, privateAttributes and statsigEnvironment mean what they mean in a Statsig user; userID stands in for a
// missing targetingKey; all others are custom fields. A wrong type is answered INVALID_CONTEXT.
//
// Statsig answers for users without an ID, too. But where an evaluation, or one of a gate that it asks, puts users
// into shares by their user ID, all of those without one would be in the same share: that is answered
// TARGETING_KEY_MISSING. Everything else is answered without a targetingKey. Custom IDs are as optional as they are to
// Statsig.
//
// # Answers
//
// The value is Statsig's, as the document spells it. Its reason is SPLIT where a share of the users decided, DEFAULT
// where no rule matched or the entity is disabled, STATIC where the answer is the same for everyone at all times, and
// TARGETING_MATCH otherwise. DISABLED is never said, because clients then use the code's default in place of the value
// that Statsig's SDKs give. A parameter that the user's value doesn't have, or null, is answered without a value: the
// code's default counts. Rules that can't be evaluated are answered GENERAL.
//
// Single evaluations are exposures, which Project.Expose is told of. Bulk evaluations are none, because nobody knows
// which of the values will be used.
//
// A bulk answer has every gate, dynamic config, experiment and autotune of the project, and every parameter of those,
// of layers and of parameter stores, under the keys by which single evaluations find them. Its ETag stands for all
// that the answer depends on: snapshot, settings, ID lists, context, and the time until which no rule changes with the
// clock. It is known without evaluating, so an answer 304 costs no evaluation. Segments and holdouts are not listed,
// nor is what only local overrides know; single evaluations find both.
//
// # What it is not
//
// The package does not authenticate, limit or log requests, and does not compress answers; a server around it does. It
// offers no event streams, which the protocol leaves optional: clients poll with the ETag.
//
// A Handler is safe for concurrent use.
package ofrep
