package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// table prints a row for each answer. Rows are printed as answers arrive, so columns have the width of what is usual
// in them; the value, which can be long, comes last.
type table struct {
	asker
	entities *entities
	// nameWidth is the width of the longest name.
	nameWidth int
	value     []byte
}

const rowFormat = "%-7s %-7s %-*s %-13s %-24s %-16s %s\n"

func newTable(p *project, e *entities) (header string, newPrinter func() printer) {
	width := len("NAME")
	for _, section := range e {
		for i := range section {
			width = max(width, utf8.RuneCountInString(cell(section[i].Name)))
		}
	}
	header = fmt.Sprintf(rowFormat, "USER", "KIND", width, "NAME", "REASON", "RULE", "GROUP", "VALUE")
	return header, func() printer { return &table{asker: newAsker(p), entities: e, nameWidth: width} }
}

// appendUser implements [printer].
func (t *table) appendUser(dst []byte, u int, user *eval.User) []byte {
	number := strconv.Itoa(u)
	for i := range sections {
		for j := range t.entities[i] {
			e := &t.entities[i][j]
			r := t.row(e, user)
			dst = fmt.Appendf(dst, rowFormat, number, sections[i].name, t.nameWidth, cell(e.Name),
				r.reason, cell(r.rule), cell(r.group), cell(r.value))
		}
	}
	return dst
}

// row is what the table says of one answer.
type row struct {
	reason             eval.Reason
	rule, group, value string
}

func (t *table) row(e *entity, user *eval.User) row {
	if e.Kind == eval.KindParameterStore {
		t.value = t.appendStoreValues(t.value[:0], e, user)
		return row{reason: t.storeReason(e, user), value: string(t.value)}
	}
	res := t.evaluate(e, user)
	r := row{reason: res.Details.Reason, rule: res.RuleID, group: res.GroupName, value: strconv.FormatBool(res.Pass)}
	if e.Kind != eval.KindGate {
		r.value = t.canonical(res.Value)
	}
	return r
}

// cell makes a text fit for a terminal: control characters in it are escaped.
func cell(text string) string {
	switch {
	case text == "":
		return "-"
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return strconv.Quote(text)
	default:
		return text
	}
}
