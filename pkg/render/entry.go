package render

import (
	"encoding/json"
	"fmt"
	"regexp"
)

// State says where an entry's value comes from.
type State string

const (
	// Evaluated is an entry with a value of its own.
	Evaluated State = "Evaluated"
	// Default is an entry with its default, because the evaluation gave no value for it.
	Default State = "Default"
	// Missing is the state of an [Entry] that could not be evaluated: it keeps what the target holds of it, else takes
	// its default. No [Outcome] has it.
	Missing State = "Missing"
	// Kept is the state of an [Outcome] with the value that the target held before. No [Entry] has it.
	Kept State = "Kept"
	// Absent is the state of an [Outcome] that is left out for want of any value. No [Entry] has it.
	Absent State = "Absent"
)

// Entry is one entry of a binding, as evaluated.
type Entry struct {
	// Name is 1 to 63 letters, digits, dashes, dots and underscores; it starts with a letter and ends with a letter or
	// digit.
	Name string
	// State is Evaluated, Default or Missing.
	State State
	// Value is the value as JSON; it counts for state Evaluated only.
	Value string
	// Default is the default as JSON, "" for none. A state of Default without one leaves the entry out.
	Default string
}

// Outcome is what became of one entry in one target.
type Outcome struct {
	Name string
	// State is Evaluated, Default, Kept or Absent.
	State State
	// Text is the value as the target holds it, "" for Absent. [Display] makes it fit a status.
	Text string
}

// Rendered is what a target is to hold.
type Rendered struct {
	// Data are the data of a ConfigMap, or annotations. It is never nil.
	Data map[string]string
	// Outcomes has one element for each entry, in the order of the entries.
	Outcomes []Outcome
}

// maxNameLength is the longest name of an entry, in bytes; it is that of an annotation's name.
const maxNameLength = 63

var namePattern = regexp.MustCompile(`^[A-Za-z]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)

// EntryError says what is wrong with one entry.
type EntryError struct {
	// Name is the entry's, which may be what is wrong.
	Name string
	// Message is one line.
	Message string
}

// Error returns the name and the message.
func (e *EntryError) Error() string { return fmt.Sprintf("entry %q: %s", e.Name, e.Message) }

// validate checks what the CRD's schema should have refused, and the values.
func validate(entries []Entry) error {
	seen := make(map[string]struct{}, len(entries))
	for i := range entries {
		e := &entries[i]
		if _, ok := seen[e.Name]; ok {
			return &EntryError{Name: e.Name, Message: "there are two entries of this name"}
		}
		seen[e.Name] = struct{}{}
		if problem := e.problem(); problem != "" {
			return &EntryError{Name: e.Name, Message: problem}
		}
	}
	return nil
}

// problem returns what is wrong with the entry, "" for nothing.
func (e *Entry) problem() string {
	switch {
	case len(e.Name) > maxNameLength || !namePattern.MatchString(e.Name):
		return "a name has 1 to 63 letters, digits, dashes, dots and underscores; it starts with a letter and ends with a letter or digit"
	case e.State != Evaluated && e.State != Default && e.State != Missing:
		return fmt.Sprintf("state %q is not one an entry can have", e.State)
	case e.State == Evaluated && !json.Valid([]byte(e.Value)):
		return "the value is not JSON"
	case e.Default != "" && !json.Valid([]byte(e.Default)):
		return "the default is not JSON"
	}
	return ""
}
