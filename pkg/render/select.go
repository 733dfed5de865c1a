package render

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// MaxPathLength bounds a path, in bytes.
const MaxPathLength = 256

// Select returns the part of a JSON value that a gjson path leads to, as JSON; the whole value for an empty path. ok is
// false when there is no such part, or when [ValidatePath] refuses the path. A null is a part like any other.
func Select(value, path string) (raw string, ok bool) {
	if path == "" {
		return value, value != ""
	}
	if ValidatePath(path) != nil {
		return "", false
	}
	result := gjson.Get(value, path)
	if !result.Exists() {
		return "", false
	}
	if result.Raw == "" { // the length of an array, which # asks for, stands nowhere in the value
		return result.String(), true
	}
	return result.Raw, true
}

// Parameter returns a top-level member of a JSON object, as JSON. The name is taken as it is, not as a path; of two
// members of the same name the last one counts, as it does for Statsig's own SDKs.
func Parameter(value, name string) (raw string, ok bool) {
	object := gjson.Parse(value)
	if !object.IsObject() {
		return "", false
	}
	object.ForEach(func(key, member gjson.Result) bool {
		if key.String() == name {
			raw, ok = member.Raw, true
		}
		return true
	})
	return raw, ok
}

// ValidatePath reports a path that [Select] does not follow. Of gjson's syntax it leaves out modifiers (@this),
// literals (!"x"), multipaths ([a,b], {a,b}) and JSON lines (..): they make new values instead of selecting from the
// one at hand, and a short path of them can make one of any size. A backslash before the character makes it part of a
// key.
func ValidatePath(path string) error {
	switch {
	case len(path) > MaxPathLength:
		return fmt.Errorf("the path has %d bytes, at most %d are allowed", len(path), MaxPathLength)
	case path != "" && path[0] == '.':
		return errors.New("the path starts with a dot")
	}
	start := true
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\':
			i++
			start = false
		case start && strings.IndexByte("@![{", c) >= 0:
			return fmt.Errorf(`the path has %q at the start of a key; write \%c for a key that starts so`, c, c)
		case strings.IndexByte(".|([", c) >= 0:
			start = true // the last two open a query, which starts with a path of its own
		case c != ' ':
			start = false
		}
	}
	return nil
}
