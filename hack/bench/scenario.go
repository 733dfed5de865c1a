package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// userCount is how many users take turns. Some evaluators keep the hashes of 10,000 users, which this defeats.
const userCount = 20_000

// user is a user in no vendor's words.
type user struct{ id, email, country, appVersion, level string }

func newUser(i int) user {
	countries := []string{"US", "CA", "GB", "DE", "FR"}
	return user{
		id: fmt.Sprint("user-", i), email: fmt.Sprintf("user%d@statsig.com", i), country: countries[i%len(countries)],
		appVersion: fmt.Sprintf("1.%d.0", i%10), level: "gold",
	}
}

func newUsers() []user {
	users := make([]user, userCount)
	for i := range users {
		users[i] = newUser(i)
	}
	return users
}

func (u user) field(name string) string {
	return map[string]string{
		"email": u.email, "country": u.country, "appVersion": u.appVersion, "level": u.level,
	}[name]
}

// test is how a condition compares.
type test int

const (
	isAnyOf test = iota
	endsWithAny
	isVersionFrom
	passesFlag // the value is the other flag's name
)

// condition is what a rule asks of a user.
type condition struct {
	test   test
	field  string
	values []string
}

// rule lets a percentage of the users pass for whom all its conditions hold.
type rule struct {
	id         string
	percent    float64
	conditions []condition
}

// feature is true where the first rule whose conditions hold lets the user pass.
type feature struct {
	name  string
	rules []rule
}

// scenarios are the flags measured, by the names of their table rows. A flag of the name missing is asked for and
// doesn't exist.
func scenarios() []string {
	return []string{
		"static", "match", "rollout", "match_rollout", "10rules", "nested", "list1000", "version", "missing",
	}
}

// features are the rules of the scenarios.
func features() []feature {
	country := condition{isAnyOf, "country", []string{"US", "CA", "GB"}}
	email := condition{endsWithAny, "email", []string{"@example.com", "@statsig.com"}}
	one := func(name string, percent float64, conditions ...condition) feature {
		return feature{name: name, rules: []rule{{id: "rule_of_" + name, percent: percent, conditions: conditions}}}
	}
	ten := feature{name: "10rules"}
	for i := range 9 {
		none := condition{isAnyOf, "level", []string{fmt.Sprint("none", i)}}
		ten.rules = append(ten.rules, rule{fmt.Sprint("rule", i), 100, []condition{none, country}})
	}
	ten.rules = append(ten.rules, rule{"rule9", 100, []condition{country}})
	list := make([]string, 1000)
	for i := range list {
		list[i] = fmt.Sprintf("user%d@statsig.com", i)
	}
	return []feature{
		one("static", 100), one("match", 100, email, country), one("rollout", 50), one("match_rollout", 50, country), ten,
		one("dependency1", 100, country), one("dependency2", 100, email),
		one("nested", 100,
			condition{passesFlag, "", []string{"dependency1"}}, condition{passesFlag, "", []string{"dependency2"}}),
		one("list1000", 100, condition{isAnyOf, "email", list}),
		one("version", 100, condition{isVersionFrom, "appVersion", []string{"1.2.3"}}),
	}
}

// rules answers for the flags by their plain meaning, to hold the evaluators against.
type rules map[string]feature

func newRules(features []feature) rules {
	r := rules{}
	for _, f := range features {
		r[f.name] = f
	}
	return r
}

// answer is a flag's value for a user. It is unknown where a percentage decides, because every vendor hashes in a way
// of its own.
func (r rules) answer(name string, u user) (value, known bool) {
	for _, l := range r[name].rules {
		if !r.hold(l.conditions, u) {
			continue
		}
		return l.percent > 0, l.percent == 0 || l.percent == 100
	}
	return false, true
}

func (r rules) hold(conditions []condition, u user) bool {
	return !slices.ContainsFunc(conditions, func(c condition) bool { return !r.holds(c, u) })
}

func (r rules) holds(c condition, u user) bool {
	value := u.field(c.field)
	switch c.test {
	case endsWithAny:
		return slices.ContainsFunc(c.values, func(suffix string) bool { return strings.HasSuffix(value, suffix) })
	case isVersionFrom:
		return slices.Compare(versionParts(value), versionParts(c.values[0])) >= 0
	case passesFlag:
		pass, _ := r.answer(c.values[0], u)
		return pass
	default:
		return slices.Contains(c.values, value)
	}
}

func versionParts(version string) []int {
	var parts []int
	for part := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(part)
		parts = append(parts, n)
	}
	return parts
}
