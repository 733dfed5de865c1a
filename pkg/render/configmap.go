package render

import (
	"fmt"
	"regexp"
	"strings"
)

const (
	// MaxConfigMapSize bounds keys and values of a ConfigMap together, in bytes. The API server takes 1 MiB for the
	// whole object.
	MaxConfigMapSize = 900 << 10

	// maxKeyLength is the longest key of a ConfigMap, in bytes.
	maxKeyLength = 253
)

var keyPattern = regexp.MustCompile(`^[-._A-Za-z0-9]+$`)

// Options say what a ConfigMap looks like. The zero value is usable.
type Options struct {
	// Format is how entries are written; "" means Keys.
	Format Format
	// Key is the ConfigMap's key for formats that write one document; "" means the format's own, such as flags.json.
	Key string
}

// ConfigMap renders entries as the data of a ConfigMap. previous is what the ConfigMap holds now, nil when there is
// none. The error is an [*EntryError], a [*TooLargeError], or about the options.
func ConfigMap(o Options, entries []Entry, previous map[string]string) (Rendered, error) {
	f, key, err := o.resolve()
	if err != nil {
		return Rendered{}, err
	}
	if err := validate(entries); err != nil {
		return Rendered{}, err
	}
	values, outcomes := settle(entries, f.value, func() lookup { return f.read(previous, key) })
	data := f.write(values, key)
	if size := sizeOf(data); size > MaxConfigMapSize {
		return Rendered{}, &TooLargeError{Size: size, Limit: MaxConfigMapSize}
	}
	return Rendered{Data: data, Outcomes: outcomes}, nil
}

// resolve returns the format, and the key of its document.
func (o Options) resolve() (format, string, error) {
	name := o.Format
	if name == "" {
		name = Keys
	}
	f, ok := formats[name]
	if !ok {
		return format{}, "", fmt.Errorf("unknown format %q", name)
	}
	key := o.Key
	if key == "" || f.key == "" {
		return f, f.key, nil
	}
	if len(key) > maxKeyLength || !keyPattern.MatchString(key) || key == "." || strings.HasPrefix(key, "..") {
		return format{}, "", fmt.Errorf("%q cannot be a key of a ConfigMap", key)
	}
	return f, key, nil
}

// member is an entry that has a value, as the target's format writes it.
type member struct{ name, text string }

// lookup finds what a target held of an entry.
type lookup func(name string) (text string, ok bool)

// settle decides on the value of each entry. previous is called at most once, and only for entries that need it:
// reading a document back takes longer than writing it.
func settle(entries []Entry, value func(raw string) string, previous func() lookup) ([]member, []Outcome) {
	members := make([]member, 0, len(entries))
	outcomes := make([]Outcome, 0, len(entries))
	var held lookup
	for i := range entries {
		e := &entries[i]
		outcome := Outcome{Name: e.Name, State: Absent}
		switch e.State {
		case Evaluated:
			outcome.State, outcome.Text = Evaluated, value(e.Value)
		case Missing:
			if held == nil {
				held = previous()
			}
			if text, ok := held(e.Name); ok {
				outcome.State, outcome.Text = Kept, text
			}
		default: // what is left is its default
		}
		if outcome.State == Absent && e.Default != "" {
			outcome.State, outcome.Text = Default, value(e.Default)
		}
		if outcome.State != Absent {
			members = append(members, member{e.Name, outcome.Text})
		}
		outcomes = append(outcomes, outcome)
	}
	return members, outcomes
}

// TooLargeError says that a target would hold more than it can.
type TooLargeError struct {
	// Size and Limit count keys and values, in bytes.
	Size, Limit int
}

// Error returns both sizes.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the entries take %d bytes, at most %d fit", e.Size, e.Limit)
}

func sizeOf(data map[string]string) int {
	size := 0
	for key, value := range data {
		size += len(key) + len(value)
	}
	return size
}
