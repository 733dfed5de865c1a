package pattern

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// anySet is every character, lineSet every one but the newline.
var (
	anySet  = sync.OnceValue(func() *runeSet { return newRuneSet(runeRange{0, utf8.MaxRune}) })
	lineSet = sync.OnceValue(func() *runeSet { return newRuneSet(runeRange{'\n', '\n'}).negate() })
)

// digitSet, spaceSet and wordSet are \d, \s and \w over all of Unicode, as Unicode's TR18 defines them; hexSet is \h.
var (
	digitSet = sync.OnceValue(func() *runeSet { return tableSet(unicode.Nd) })
	spaceSet = sync.OnceValue(func() *runeSet { return tableSet(unicode.White_Space) })
	wordSet  = sync.OnceValue(func() *runeSet {
		return tableSet(unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Pc, unicode.Join_Control)
	})
	hexSet = sync.OnceValue(func() *runeSet {
		return newRuneSet(runeRange{'0', '9'}, runeRange{'A', 'F'}, runeRange{'a', 'f'})
	})
)

// perlSet returns the set of \d, \s, \w or \h by its letter.
func perlSet(letter rune) *runeSet {
	switch letter {
	case 'd':
		return digitSet()
	case 's':
		return spaceSet()
	case 'w':
		return wordSet()
	default:
		return hexSet()
	}
}

// posixSet returns the set of [:name:], nil for an unknown name. These sets hold ASCII only.
func posixSet(name string) *runeSet {
	ranges, ok := map[string][]runeRange{
		"alnum":  {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}},
		"alpha":  {{'A', 'Z'}, {'a', 'z'}},
		"ascii":  {{0, 0x7f}},
		"blank":  {{'\t', '\t'}, {' ', ' '}},
		"cntrl":  {{0, 0x1f}, {0x7f, 0x7f}},
		"digit":  {{'0', '9'}},
		"graph":  {{'!', '~'}},
		"lower":  {{'a', 'z'}},
		"print":  {{' ', '~'}},
		"punct":  {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}},
		"space":  {{'\t', '\r'}, {' ', ' '}},
		"upper":  {{'A', 'Z'}},
		"word":   {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}},
		"xdigit": {{'0', '9'}, {'A', 'F'}, {'a', 'f'}},
	}[name]
	if !ok {
		return nil
	}
	return newRuneSet(ranges...)
}

// propertySet returns the set of \p{query}, nil for an unknown one. The query is a name, or name=value, name:value or
// name!=value for the general category and the script.
func propertySet(query string) *runeSet {
	name, value, negate, valued := cutProperty(query)
	if !valued {
		return namedSet(looseName(query))
	}
	var set *runeSet
	switch looseName(name) {
	case "gc", "generalcategory":
		set = categorySet(looseName(value))
	case "sc", "script":
		set = scriptSet(looseName(value))
	}
	if set != nil && negate {
		return set.negate()
	}
	return set
}

func cutProperty(query string) (name, value string, negate, ok bool) {
	if name, value, ok = strings.Cut(query, "!="); ok {
		return name, value, true, true
	}
	if i := strings.IndexAny(query, ":"); i >= 0 {
		return query[:i], query[i+1:], false, true
	}
	name, value, ok = strings.Cut(query, "=")
	return name, value, false, ok
}

// looseName reduces a name to what Unicode compares: no case, blanks, dashes, underscores or leading "is".
func looseName(name string) string {
	if len(name) >= 2 && strings.EqualFold(name[:2], "is") {
		name = name[2:]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '_' || r == '-' || r >= utf8.RuneSelf:
			return -1
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		default:
			return r
		}
	}, name)
}

func namedSet(name string) *runeSet {
	switch name {
	case "alphabetic", "alpha":
		return tableSet(unicode.L, unicode.Nl, unicode.Other_Alphabetic)
	case "lowercase", "lower":
		return tableSet(unicode.Ll, unicode.Other_Lowercase)
	case "uppercase", "upper":
		return tableSet(unicode.Lu, unicode.Other_Uppercase)
	case "math":
		return tableSet(unicode.Sm, unicode.Other_Math)
	case "space", "wspace":
		return spaceSet()
	}
	if table := looseTable(unicode.Properties, name); table != nil {
		return tableSet(table)
	}
	if set := categorySet(name); set != nil {
		return set
	}
	return scriptSet(name)
}

func categorySet(name string) *runeSet {
	switch name {
	case "any":
		return anySet()
	case "ascii":
		return newRuneSet(runeRange{0, unicode.MaxASCII})
	case "assigned":
		return tableSet(unicode.Categories["Cn"]).negate()
	}
	for alias, short := range unicode.CategoryAliases {
		if looseName(alias) == name {
			name = looseName(short)
			break
		}
	}
	if table := looseTable(unicode.Categories, name); table != nil {
		return tableSet(table)
	}
	return nil
}

func scriptSet(name string) *runeSet {
	if table := looseTable(unicode.Scripts, name); table != nil {
		return tableSet(table)
	}
	return nil
}

func looseTable(tables map[string]*unicode.RangeTable, name string) *unicode.RangeTable {
	for key, table := range tables {
		if looseName(key) == name {
			return table
		}
	}
	return nil
}
