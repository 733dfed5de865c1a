package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"

	growthbook "github.com/growthbook/growthbook-golang"
)

// newGrowthBook is GrowthBook's SDK, with one client per user, as its documentation has it for a request.
func newGrowthBook(ctx context.Context, users []user) (*goPeer, error) {
	texts := object{}
	for _, f := range features() {
		texts[f.name] = f.growthBook()
	}
	text, err := json.Marshal(texts)
	if err != nil {
		return nil, err
	}
	shared, err := growthbook.NewClient(ctx,
		growthbook.WithJsonFeatures(string(text)), growthbook.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	clients := make([]*growthbook.Client, len(users))
	for i, u := range users {
		clients[i], err = shared.WithAttributes(growthbook.Attributes{
			"id": u.id, "email": u.email, "country": u.country, "appVersion": u.appVersion, "level": u.level,
		})
		if err != nil {
			return nil, err
		}
	}
	return &goPeer{title: "GrowthBook", check: func(flag string) func(int) bool {
		return func(user int) bool { return clients[user].EvalFeature(ctx, flag).On }
	}}, nil
}

// growthBook is the flag in GrowthBook's words. A rule whose percentage fails hands over to the next one there, which
// makes no difference here: only last rules have a percentage.
func (f feature) growthBook() object {
	list := make([]object, 0, len(f.rules))
	for _, l := range f.rules {
		r := object{"id": l.id, "force": true}
		if l.percent < 100 {
			r["coverage"], r["hashAttribute"], r["hashVersion"] = l.percent/100, "id", 2
		}
		conditions, parents := object{}, []object{}
		for _, c := range l.conditions {
			if c.test == passesFlag {
				parents = append(parents, object{"id": c.values[0], "condition": object{"value": true}})
				continue
			}
			conditions[c.field] = c.growthBook()
		}
		if len(conditions) > 0 {
			r["condition"] = conditions
		}
		if len(parents) > 0 {
			r["parentConditions"] = parents
		}
		list = append(list, r)
	}
	return object{"defaultValue": false, "rules": list}
}

func (c condition) growthBook() object {
	switch c.test {
	case endsWithAny:
		quoted := make([]string, len(c.values))
		for i, v := range c.values {
			quoted[i] = regexp.QuoteMeta(v)
		}
		return object{"$regex": "(" + strings.Join(quoted, "|") + ")$"}
	case isVersionFrom:
		return object{"$vgte": c.values[0]}
	default:
		return object{"$in": c.values}
	}
}
