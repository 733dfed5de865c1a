package eval

import (
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// loggable is what of a user may leave the process, beside its values.
type loggable struct {
	custom map[string]any
	// hasCustomIDs is true for a user with custom IDs, even if they are none.
	hasCustomIDs bool
}

// topFieldKeys are the members of a serialised user, in the order in which they are written.
var topFieldKeys = [...]struct {
	field topField
	key   string
}{
	{fieldUserID, "userID"}, {fieldEmail, "email"}, {fieldIP, "ip"}, {fieldUserAgent, "userAgent"},
	{fieldCountry, "country"}, {fieldLocale, "locale"}, {fieldAppVersion, "appVersion"},
}

// ParseUser reads a user as the SDKs serialise it: userID, customIDs, email, ip, userAgent, country, locale,
// appVersion, custom, privateAttributes and statsigEnvironment. Unknown members are ignored. IDs and properties that
// are no strings count by their text. An error wraps ErrInvalidUser.
func ParseUser(text []byte) (*User, error) {
	r := &reader{doc: string(text)}
	switch object := r.raw(); {
	case !utf8.Valid(text):
		return nil, fmt.Errorf("%w: text is not UTF-8", ErrInvalidUser)
	case r.err != nil:
		return nil, fmt.Errorf("%w: %w", ErrInvalidUser, r.err)
	case r.peek() != 0 || r.pos < len(r.doc):
		return nil, fmt.Errorf("%w: text behind the user", ErrInvalidUser)
	case object[0] != '{':
		return nil, fmt.Errorf("%w: want a JSON object", ErrInvalidUser)
	case r.unreadable:
		return nil, fmt.Errorf("%w: value nests too deeply or holds a number out of range", ErrInvalidUser)
	default:
		return userOf(decodeAny(gjson.Parse(object)).(map[string]any))
	}
}

// userOf builds a user of a decoded object.
func userOf(m map[string]any) (*User, error) {
	objects := map[string]map[string]any{}
	for _, key := range []string{"customIDs", "custom", "privateAttributes", "statsigEnvironment"} {
		switch x := m[key].(type) {
		case nil:
		case map[string]any:
			objects[key] = x
		default:
			return nil, fmt.Errorf("%w: %s is no object", ErrInvalidUser, key)
		}
	}
	u := &User{
		customIDs: newFieldSet(objects["customIDs"]), custom: newFieldSet(objects["custom"]),
		private: newFieldSet(objects["privateAttributes"]), environment: newFieldSet(objects["statsigEnvironment"]),
		loggable: loggable{custom: objects["custom"], hasCustomIDs: objects["customIDs"] != nil},
	}
	for _, top := range topFieldKeys {
		x, ok := m[top.key]
		if !ok || x == nil {
			continue
		}
		u.top[top.field] = &value{}
		u.top[top.field].set(x)
	}
	return u, nil
}

// LoggableUser appends the user as it may leave the process, in JSON: without private attributes, with the project's
// global custom fields under the user's own, and with the project's environment where the user has none.
func (e *Evaluator) LoggableUser(dst []byte, u *User) []byte {
	w := objectWriter{dst: append(dst, '{')}
	for _, top := range topFieldKeys {
		if v := u.top[top.field]; v != nil {
			w.name(top.key)
			w.dst = appendJSONString(w.dst, v.text)
		}
	}
	if u.loggable.hasCustomIDs && len(u.customIDs.names) == 0 {
		w.name("customIDs")
		w.dst = append(w.dst, "{}"...)
	}
	w.set("customIDs", &u.customIDs)
	if custom := e.loggableCustom(u); len(custom) > 0 {
		w.name("custom")
		w.dst = appendJSON(w.dst, custom, 1)
	}
	environment := &u.environment
	if len(environment.names) == 0 {
		environment = &e.environment
	}
	w.set("statsigEnvironment", environment)
	return append(w.dst, '}')
}

// loggableCustom lays the user's custom fields over the global ones.
func (e *Evaluator) loggableCustom(u *User) map[string]any {
	if len(e.options.GlobalCustomFields) == 0 {
		return u.loggable.custom
	}
	merged := maps.Clone(e.options.GlobalCustomFields)
	maps.Copy(merged, u.loggable.custom)
	return merged
}

// objectWriter writes the members of a JSON object.
type objectWriter struct {
	dst   []byte
	later bool
}

func (w *objectWriter) name(name string) {
	if w.later {
		w.dst = append(w.dst, ',')
	}
	w.later = true
	w.dst = append(appendJSONString(w.dst, name), ':')
}

// set writes a set of texts, sorted by name; an empty one is left out.
func (w *objectWriter) set(name string, s *fieldSet) {
	if len(s.names) == 0 {
		return
	}
	w.name(name)
	inner := objectWriter{dst: append(w.dst, '{')}
	for _, key := range slices.Sorted(slices.Values(s.names)) {
		inner.name(key)
		inner.dst = s.get(key).appendJSON(inner.dst)
	}
	w.dst = append(inner.dst, '}')
}

// appendJSON appends a scalar value; others, which neither IDs nor environments have, as null.
func (v *value) appendJSON(dst []byte) []byte {
	switch v.kind {
	case kindString:
		return appendJSONString(dst, v.text)
	case kindNumber, kindBool:
		return append(dst, v.text...)
	default:
		return append(dst, "null"...)
	}
}
