package main

import (
	"fmt"
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

func (g *generator) options() map[string]any {
	r := g.r
	o := map[string]any{}
	if chance(r, 40) {
		o["environment"] = pick(r, environments)
	}
	if chance(r, 30) {
		o["globalCustomFields"] = map[string]any{"f": pick(r, texts), "flag": chance(r, 50), "G": "g", "country": "GB"}
	}
	if chance(r, 30) {
		o["useThirdPartyUaParser"] = true
	}
	return o
}

func (g *generator) idLists() map[string]string {
	var bodies [2]strings.Builder
	for i := range bodies {
		for j := range 40 {
			if chance(g.r, 40) {
				fmt.Fprintf(&bodies[i], "+%s\n", eval.IDListHash(fmt.Sprintf("u%d", j)))
			}
		}
		for _, text := range texts[1:4] {
			fmt.Fprintf(&bodies[i], "+%s\n", eval.IDListHash(text))
		}
	}
	return map[string]string{"l0": bodies[0].String(), "l1": bodies[1].String()}
}

func (g *generator) user(i int) map[string]any {
	r := g.r
	ids := map[string]any{"row": fmt.Sprintf("row%d", i)}
	u := map[string]any{"customIDs": ids}
	set := func(in map[string]any, percent int, field string, from []string) {
		if chance(r, percent) {
			in[field] = pick(r, from)
		}
	}
	if chance(r, 90) {
		u["userID"] = fmt.Sprintf("u%d", r.IntN(40))
	}
	set(ids, 60, "stableID", []string{"s1", "s2", "a", "u5"})
	set(ids, 30, "companyID", []string{"c1", "c2", ""})
	set(ids, 10, "stableid", []string{"lower"})
	set(u, 40, "email", texts)
	set(u, 40, "ip", addresses)
	set(u, 50, "userAgent", userAgents)
	set(u, 30, "country", texts)
	set(u, 30, "locale", texts)
	set(u, 40, "appVersion", versions)
	if chance(r, 25) {
		u["statsigEnvironment"] = map[string]any{"tier": pick(r, environments)}
	}
	for _, set := range []string{"custom", "privateAttributes"} {
		if fields := g.fields(); len(fields) > 0 {
			u[set] = fields
		}
	}
	return u
}

// fields are a user's own. Objects have one member, because more have no order in the SDK.
func (g *generator) fields() map[string]any {
	r := g.r
	fields := map[string]any{}
	for range r.IntN(6) {
		var v any
		switch r.IntN(8) {
		case 0:
			v = list(r, 3, member)
		case 1:
			v = map[string]any{pick(r, []string{"a", "A", "s"}): member(r)}
		case 2:
			v = pick(r, instants)
		case 3:
			v = nil
		default:
			v = scalar(r)
		}
		fields[pick(r, customFields)] = v
	}
	return fields
}
