package eval

import (
	"slices"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval/pattern"
)

// target is a condition's right-hand operand with the views its operator needs.
type target struct {
	kind      valueKind
	truth     bool
	hasNumber bool
	hasTime   bool
	text      string
	number    float64
	time      int64
	// keys are an array's elements in lower case, or an object's names as they are. Where a key is looked up, more than
	// maxLinear of them are sorted, and more than maxSorted stand in set instead.
	keys    []string
	set     map[string]struct{}
	items   *targetItems
	version []versionPart
	pattern *pattern.Pattern
}

// newTarget reads a target value's kind and its views as a scalar. A value that the reference can't represent has no
// text at all, and counts as null.
func newTarget(json gjson.Result) target {
	var t target
	switch {
	case json.Type == gjson.True || json.Type == gjson.False:
		t.kind, t.truth = kindBool, json.Type == gjson.True
	case json.Type == gjson.Number:
		t.kind, t.number, t.hasNumber = kindNumber, json.Num, true
	case json.Type == gjson.String:
		t.kind, t.text = kindString, json.Str
		t.number, t.hasNumber = parseFloat(t.text)
		t.time, t.hasTime = parseTargetTime(t.text)
	case json.IsArray():
		t.kind = kindArray
	case json.IsObject():
		t.kind = kindObject
	}
	return t
}

// prepareKeys prepares for tests of every key.
func prepareKeys(t *target, json gjson.Result) {
	if t.kind != kindArray && t.kind != kindObject {
		return
	}
	json.ForEach(func(name, element gjson.Result) bool {
		if t.kind == kindObject {
			t.keys = append(t.keys, name.Str)
		} else {
			t.keys = append(t.keys, lower(itemText(element)))
		}
		return true
	})
}

// maxSorted is how many keys are sorted instead of hashed: a hash table takes several times their memory.
const maxSorted = 64

// prepareSet prepares for looking one key up.
func prepareSet(t *target, json gjson.Result) {
	prepareKeys(t, json)
	switch {
	case len(t.keys) <= maxLinear:
	case len(t.keys) <= maxSorted:
		slices.Sort(t.keys)
	default:
		t.set = make(map[string]struct{}, len(t.keys))
		for _, key := range t.keys {
			t.set[key] = struct{}{}
		}
		t.keys = nil
	}
}

// has looks a key up.
func (t *target) has(key string) bool {
	switch {
	case t.set != nil:
		_, ok := t.set[key]
		return ok
	case len(t.keys) > maxLinear:
		_, ok := slices.BinarySearch(t.keys, key)
		return ok
	default:
		return slices.Contains(t.keys, key)
	}
}

// targetItems are an array's elements, or an object's members. Of elements equal but for case only the last is kept, in
// the place where it stood.
type targetItems struct {
	list []targetItem
	// index finds an item by its key; nil where there are few.
	index map[string]int
}

// targetItem is an element of an array or a member of an object.
type targetItem struct {
	// key is an element's text in lower case, or a member's name.
	key   string
	text  string
	place int // of an element, counted before others were dropped
}

// prepareItems prepares for comparisons that need the elements' own spelling.
func prepareItems(t *target, json gjson.Result) {
	if t.kind != kindArray && t.kind != kindObject {
		return
	}
	items := &targetItems{}
	seen := map[string]int{}
	place := 0
	json.ForEach(func(name, element gjson.Result) bool {
		item := targetItem{text: itemText(element), place: place}
		item.key = name.Str
		if t.kind == kindArray {
			item.key = lower(item.text)
		}
		place++
		if i, ok := seen[item.key]; ok {
			items.list[i] = item
			return true
		}
		seen[item.key] = len(items.list)
		items.list = append(items.list, item)
		return true
	})
	if len(items.list) > maxLinear {
		items.index = seen
	}
	t.items = items
}

// find returns the item of a key, nil when there is none.
func (t *targetItems) find(key string) *targetItem {
	if t.index != nil {
		if i, ok := t.index[key]; ok {
			return &t.list[i]
		}
		return nil
	}
	for i := range t.list {
		if t.list[i].key == key {
			return &t.list[i]
		}
	}
	return nil
}

// itemText is the text of a member of a target: a string itself, any other value its compact JSON.
func itemText(json gjson.Result) string {
	switch json.Type {
	case gjson.String:
		return json.Str
	case gjson.Number:
		return canonicalNumber(json.Raw)
	case gjson.JSON:
		return string(appendCompact(nil, json))
	default:
		return json.Raw
	}
}

// appendCompact appends a document's value as the reference would print it again. The reader has bounded its depth.
func appendCompact(dst []byte, json gjson.Result) []byte {
	switch {
	case json.Type == gjson.String:
		return appendJSONString(dst, json.Str)
	case json.Type == gjson.Number:
		return append(dst, canonicalNumber(json.Raw)...)
	case json.Type != gjson.JSON:
		return append(dst, json.Raw...)
	}
	brackets := "[]"
	if json.IsObject() {
		brackets = "{}"
	}
	dst = append(dst, brackets[0])
	first := true
	json.ForEach(func(name, member gjson.Result) bool {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if brackets == "{}" {
			dst = append(appendJSONString(dst, name.Str), ':')
		}
		dst = appendCompact(dst, member)
		return true
	})
	return append(dst, brackets[1])
}
