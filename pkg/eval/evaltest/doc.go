// Package evaltest builds config specs documents for tests:
//
//	doc := evaltest.NewDocument(
//		evaltest.NewGate("new_checkout").Rule(
//			evaltest.NewRule("staff").When(evaltest.UserField("email", "str_ends_with_any", "@example.com")),
//			evaltest.NewRule("rollout").Percent(20),
//		),
//	)
//	snapshot := evaltest.Compile(t, doc)
//
// Defaults are minimal: specs are enabled and of version 1, a gate's default is false and a config's {}, a rule has no
// conditions, passes for everyone and returns true or {}. The builders write what the service would, and check nothing:
// odd documents can be built too.
//
// Builders are values of one test; they are not safe for concurrent use.
package evaltest
