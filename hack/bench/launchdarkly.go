package main

import (
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// flagStore holds LaunchDarkly's flags; no scenario needs a segment.
type flagStore map[string]*ldmodel.FeatureFlag

func (s flagStore) GetFeatureFlag(key string) *ldmodel.FeatureFlag { return s[key] }

func (flagStore) GetSegment(string) *ldmodel.Segment { return nil }

// newLaunchDarkly is the evaluator inside LaunchDarkly's server SDK. It is handed the flag itself, so it has no answer
// for one that doesn't exist.
func newLaunchDarkly(users []user) *goPeer {
	store := flagStore{}
	for _, f := range features() {
		built := f.launchDarkly()
		store[f.name] = &built
	}
	e := evaluation.NewEvaluator(store)
	contexts := make([]ldcontext.Context, len(users))
	for i, u := range users {
		contexts[i] = ldcontext.NewBuilder(u.id).SetString("email", u.email).SetString("country", u.country).
			SetString("appVersion", u.appVersion).SetString("level", u.level).Build()
	}
	return &goPeer{title: "LaunchDarkly", check: func(name string) func(int) bool {
		found := store[name]
		if found == nil {
			return nil
		}
		return func(user int) bool { return e.Evaluate(found, contexts[user], nil).Detail.Value.BoolValue() }
	}}
}

// launchDarkly is the flag in LaunchDarkly's words: a rule without conditions is what all users fall through to, other
// flags are prerequisites.
func (f feature) launchDarkly() ldmodel.FeatureFlag {
	const off, on = 0, 1
	b := ldbuilders.NewFlagBuilder(f.name).On(true).Salt(salt(0)).Variations(ldvalue.Bool(false), ldvalue.Bool(true)).
		OffVariation(off).FallthroughVariation(off)
	for _, l := range f.rules {
		outcome := ldbuilders.Variation(on)
		if l.percent < 100 {
			weight := int(l.percent * 1000)
			outcome = ldbuilders.Rollout(ldbuilders.Bucket(on, weight), ldbuilders.Bucket(off, 100_000-weight))
		}
		var clauses []ldmodel.Clause
		for _, c := range l.conditions {
			if c.test == passesFlag {
				b.AddPrerequisite(c.values[0], on)
				continue
			}
			clauses = append(clauses, c.launchDarkly())
		}
		if len(clauses) == 0 {
			b.Fallthrough(outcome)
			continue
		}
		b.AddRule(ldbuilders.NewRuleBuilder().ID(l.id).Clauses(clauses...).VariationOrRollout(outcome))
	}
	return b.Build()
}

func (c condition) launchDarkly() ldmodel.Clause {
	values := make([]ldvalue.Value, len(c.values))
	for i, v := range c.values {
		values[i] = ldvalue.String(v)
	}
	switch c.test {
	case endsWithAny:
		return ldbuilders.Clause(c.field, ldmodel.OperatorEndsWith, values...)
	case isVersionFrom:
		return ldbuilders.Negate(ldbuilders.Clause(c.field, ldmodel.OperatorSemVerLessThan, values...))
	default:
		return ldbuilders.Clause(c.field, ldmodel.OperatorIn, values...)
	}
}
