package subject

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/google/cel-go/cel"
)

// Unit is what one user stands for. It decides which variables expressions have, and the default user ID.
type Unit string

// The units.
const (
	// UnitWorkload has one user per workload, by default <namespace>/<name>.
	UnitWorkload Unit = "Workload"
	// UnitPod has one user per pod, by default <namespace>/<name>.
	UnitPod Unit = "Pod"
	// UnitNamespace has one user per namespace, by default its name.
	UnitNamespace Unit = "Namespace"
	// UnitStatic has a single user, by default without an ID.
	UnitStatic Unit = "Static"
)

// variables lists the variables of each unit.
var variables = map[Unit][]string{
	UnitWorkload:  {workloadVariable, namespaceVariable, clusterVariable},
	UnitPod:       {podVariable, workloadVariable, namespaceVariable, clusterVariable},
	UnitNamespace: {namespaceVariable, clusterVariable},
	UnitStatic:    {namespaceVariable, clusterVariable},
}

// Template says how to make a user. Apart from Unit and the maps' keys, every string is a CEL expression; an empty one
// leaves its attribute out, but for UserID, which then takes the unit's default.
type Template struct {
	Unit Unit
	// These and the custom IDs have to give a string.
	UserID, Email, IP, UserAgent, Country, Locale, AppVersion string
	// CustomIDs maps ID types to expressions.
	CustomIDs map[string]string
	// Custom and PrivateAttributes map attribute names to expressions, which have to give a JSON value: a bool, number,
	// string, list, map with string keys, or null.
	Custom, PrivateAttributes map[string]string
}

// The attributes with a field of their own, in the order they are compiled and evaluated in.
const (
	userID = iota
	email
	ip
	userAgent
	country
	locale
	appVersion
	textCount
)

var textNames = [textCount]string{
	userID: "userID", email: "email", ip: "ip", userAgent: "userAgent", country: "country", locale: "locale",
	appVersion: "appVersion",
}

func (t *Template) texts() [textCount]string {
	return [textCount]string{
		userID: t.UserID, email: t.Email, ip: t.IP, userAgent: t.UserAgent, country: t.Country, locale: t.Locale,
		appVersion: t.AppVersion,
	}
}

// Compile compiles a template. Its error is [FieldErrors] where expressions are at fault.
func Compile(t Template) (*Program, error) {
	if _, ok := variables[t.Unit]; !ok {
		return nil, fmt.Errorf("unknown unit %q", t.Unit)
	}
	c := compiler{unit: t.Unit, program: &Program{unit: t.Unit}}
	for field, source := range t.texts() {
		if source == "" {
			continue
		}
		c.program.texts[field] = c.compile("user."+textNames[field], source, givesText)
	}
	c.program.defaultUserID = t.UserID == ""
	c.program.customIDs = c.compileMap("user.customIDs", t.CustomIDs, givesText)
	c.program.custom = c.compileMap("user.custom", t.Custom, givesJSON)
	c.program.private = c.compileMap("user.privateAttributes", t.PrivateAttributes, givesJSON)
	for _, attribute := range c.program.private {
		attribute.expression.private = true
	}
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	c.program.uses = c.uses
	if c.program.defaultUserID {
		if object := c.program.uses.object(defaultVariable[t.Unit]); object != nil {
			object.Any = true
		}
	}
	return c.program, nil
}

// compiler collects what Compile finds.
type compiler struct {
	unit    Unit
	program *Program
	uses    Uses
	errs    FieldErrors
}

// compile returns nil, and keeps the error, for an expression that is refused.
func (c *compiler) compile(field, source string, wants func(*cel.Type) error) *expression {
	compiled, err := compile(field, source, c.unit, wants, &c.uses)
	if err != nil {
		c.errs = append(c.errs, &FieldError{Field: field, Message: oneLine(err.Error())})
		return nil
	}
	return compiled
}

// compileMap returns the attributes sorted by name, so that the first error of an evaluation is always the same.
func (c *compiler) compileMap(field string, sources map[string]string, wants func(*cel.Type) error) []namedAttribute {
	attributes := make([]namedAttribute, 0, len(sources))
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		path := child(field, name)
		switch {
		case name == "":
			c.errs = append(c.errs, &FieldError{Field: path, Message: "the name is empty"})
		case sources[name] != "":
			if compiled := c.compile(path, sources[name], wants); compiled != nil {
				attributes = append(attributes, namedAttribute{expression: compiled, name: name})
			}
		}
	}
	return attributes
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// child returns the path of a map's entry, with the name quoted where it could be taken for more than one.
func child(field, name string) string {
	if plainName.MatchString(name) {
		return field + "." + name
	}
	return field + "[" + strconv.Quote(name) + "]"
}
