package ofrep

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// contextReader turns an evaluation context into a user.
type contextReader struct {
	attributes eval.UserAttributes
	// userID is the attribute of that name, which stands in for a missing targetingKey.
	userID  string
	problem *failure
}

// userOf builds the user of a context. No context is one without attributes.
func userOf(context gjson.Result) (*eval.User, *failure) {
	if context.Type == gjson.Null {
		return eval.NewUser(eval.UserAttributes{}), nil
	}
	if !context.IsObject() {
		return nil, invalidContext("the context is no object")
	}
	var c contextReader
	context.ForEach(func(name, value gjson.Result) bool {
		c.attribute(name.Str, value)
		return c.problem == nil
	})
	if c.problem != nil {
		return nil, c.problem
	}
	if c.attributes.UserID == "" {
		c.attributes.UserID = c.userID
	}
	return eval.NewUser(c.attributes), nil
}

// attribute takes one attribute.
func (c *contextReader) attribute(name string, value gjson.Result) {
	a := &c.attributes
	switch name {
	case "targetingKey":
		a.UserID = c.text(name, value)
	case "userID":
		c.userID = c.text(name, value)
	case "email":
		a.Email = c.text(name, value)
	case "ip":
		a.IP = c.text(name, value)
	case "userAgent":
		a.UserAgent = c.text(name, value)
	case "country":
		a.Country = c.text(name, value)
	case "locale":
		a.Locale = c.text(name, value)
	case "appVersion":
		a.AppVersion = c.text(name, value)
	case "customIDs":
		a.CustomIDs = c.texts(name, value)
	case "statsigEnvironment":
		a.Environment = c.texts(name, value)
	case "privateAttributes":
		a.PrivateAttributes = c.fields(name, value, nil)
	case "custom":
		a.Custom = c.fields(name, value, a.Custom)
	default:
		if a.Custom == nil {
			a.Custom = map[string]any{}
		}
		a.Custom[name] = c.any(name, value)
	}
}

// text reads a string; null is as good as none.
func (c *contextReader) text(name string, value gjson.Result) string {
	switch value.Type {
	case gjson.String:
		return value.Str
	case gjson.Null:
	default:
		c.refuse(name, "a string", value)
	}
	return ""
}

// texts reads an object of strings. It is nil where there is none.
func (c *contextReader) texts(name string, value gjson.Result) map[string]string {
	if !c.isObject(name, value) {
		return nil
	}
	texts := map[string]string{}
	value.ForEach(func(member, text gjson.Result) bool {
		if s := c.text(name+"."+member.Str, text); text.Type == gjson.String {
			texts[member.Str] = s
		}
		return c.problem == nil
	})
	return texts
}

// fields adds the members of an object to fields.
func (c *contextReader) fields(name string, value gjson.Result, fields map[string]any) map[string]any {
	if !c.isObject(name, value) {
		return fields
	}
	if fields == nil {
		fields = map[string]any{}
	}
	value.ForEach(func(member, field gjson.Result) bool {
		fields[member.Str] = c.any(name, field)
		return c.problem == nil
	})
	return fields
}

// isObject is false for null, which is as good as no object, and for what is refused.
func (c *contextReader) isObject(name string, value gjson.Result) bool {
	if value.Type != gjson.Null && !value.IsObject() {
		c.refuse(name, "an object", value)
	}
	return value.IsObject()
}

// any reads a value. Numbers stay as they are spelled.
func (c *contextReader) any(name string, value gjson.Result) any {
	switch value.Type {
	case gjson.String:
		return value.Str
	case gjson.True, gjson.False:
		return value.Type == gjson.True
	case gjson.Number:
		if math.IsInf(value.Num, 0) {
			c.problem = invalidContext(fmt.Sprintf("attribute %s holds a number that is out of range", shown(name)))
		}
		return json.Number(value.Raw)
	case gjson.JSON:
	default:
		return nil
	}
	if value.IsArray() {
		list := []any{}
		value.ForEach(func(_, element gjson.Result) bool {
			list = append(list, c.any(name, element))
			return true
		})
		return list
	}
	return c.fields(name, value, nil)
}

func (c *contextReader) refuse(name, want string, value gjson.Result) {
	c.problem = invalidContext(fmt.Sprintf("attribute %s is %s, want %s", shown(name), typeOf(value), want))
}

// maxShown is how much of a caller's own text stands in an error.
const maxShown = 100

func shown(name string) string {
	if len(name) > maxShown {
		return fmt.Sprintf("%q…", name[:maxShown])
	}
	return fmt.Sprintf("%q", name)
}

func typeOf(value gjson.Result) string {
	switch {
	case value.IsArray():
		return "an array"
	case value.IsObject():
		return "an object"
	case value.IsBool():
		return "a boolean"
	case value.Type == gjson.Number:
		return "a number"
	default:
		return "a string"
	}
}
