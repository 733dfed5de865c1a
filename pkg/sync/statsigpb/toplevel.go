package statsigpb

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/tidwall/gjson"
)

// topLevel is what a document says of itself.
type topLevel struct {
	companyID, responseFormat, checksum []byte
	rest                                []byte // the JSON of all other members
	time                                uint64
	hasUpdates                          bool
}

var topLevelMessage = message[topLevel]{
	1: func(t *topLevel, f field) error { return f.bool(&t.hasUpdates) },
	2: func(t *topLevel, f field) error { return f.uint(&t.time) },
	3: func(t *topLevel, f field) error { return f.text(&t.companyID) },
	4: func(t *topLevel, f field) error { return f.text(&t.responseFormat) },
	5: func(t *topLevel, f field) error { return f.text(&t.checksum) },
	7: func(t *topLevel, f field) error { return f.data(&t.rest) },
}

// isOwn reports whether a member stands outside the rest; the rest has no say in those.
func isOwn(name string) bool {
	switch name {
	case "has_updates", "time", "company_id", "response_format", "checksum":
		return true
	}
	_, ok := sectionOf(name)
	return ok
}

// setTopLevel replaces all members.
func (c *content) setTopLevel(data []byte) error {
	var t topLevel
	if err := topLevelMessage.read(data, &t); err != nil {
		return err
	}
	if err := checkJSON(t.rest); err != nil {
		return fmt.Errorf("the other members: %w", err)
	}
	rest := gjson.ParseBytes(t.rest)
	if !rest.IsObject() {
		return errors.New("the other members are not an object")
	}
	c.members = nil
	err := errors.Join(
		c.add("has_updates", strconv.FormatBool(t.hasUpdates)),
		c.add("time", strconv.FormatUint(t.time, 10)),
		c.add("checksum", string(appendString(nil, t.checksum))),
		c.add("company_id", string(appendString(nil, t.companyID))),
		c.add("response_format", string(appendString(nil, t.responseFormat))),
	)
	rest.ForEach(func(key, value gjson.Result) bool {
		if err == nil && !isOwn(key.String()) {
			err = c.add(key.String(), value.Raw)
		}
		return err == nil
	})
	return err
}

// deletions lists the names to remove, by field number.
type deletions [11][][]byte

// deletionNames are the maps that the fields speak of: sections, and members that are objects.
var deletionNames = [len(deletions{})]string{
	1: "dynamic_configs", "feature_gates", "layer_configs", "experiment_to_layer", "condition_map", "sdk_configs",
	"param_stores", "cmab_configs", "override_rules", "overrides",
}

var deletionsMessage = newDeletionsMessage()

func newDeletionsMessage() message[deletions] {
	m := make(message[deletions], len(deletionNames))
	for number := 1; number < len(m); number++ {
		m[number] = func(d *deletions, f field) error { return f.texts(&d[number]) }
	}
	return m
}

// remove takes away what a deletions message lists. Names that are not there are no error.
func (c *content) remove(data []byte) error {
	var d deletions
	if err := deletionsMessage.read(data, &d); err != nil {
		return err
	}
	for number, names := range d {
		if len(names) == 0 {
			continue
		}
		k, ok := sectionOf(deletionNames[number])
		if !ok {
			c.removeFromMember(deletionNames[number], names)
			continue
		}
		for _, name := range names {
			c.sections[k].remove(string(name))
		}
	}
	return nil
}

func (c *content) removeFromMember(name string, names [][]byte) {
	gone := make(map[string]bool, len(names))
	for _, n := range names {
		gone[string(n)] = true
	}
	for i, m := range c.members {
		held := gjson.Parse(m.json)
		if m.name != name || !held.IsObject() {
			continue
		}
		o := object{buf: make([]byte, 0, len(m.json))}
		o.begin()
		held.ForEach(func(key, value gjson.Result) bool {
			if !gone[key.String()] {
				o.key(key.String())
				o.buf = append(o.buf, value.Raw...)
			}
			return true
		})
		o.end()
		c.members[i].json = string(o.buf)
	}
}

// sums are the sums of checksums that a stream announces, by section name.
type sums map[string]uint64

var sumsMessage = message[sums]{1: func(s *sums, f field) error {
	var data []byte
	if err := f.data(&data); err != nil {
		return err
	}
	var e sum
	err := sumMessage.read(data, &e)
	(*s)[string(e.name)] = e.value
	return err
}}

// sum is an entry of sums.
type sum struct {
	name  []byte
	value uint64
}

var sumMessage = message[sum]{
	1: func(s *sum, f field) error { return f.text(&s.name) },
	2: func(s *sum, f field) error { return f.uint(&s.value) },
}

// verify compares the sums that a checksums message announces with those of the entities that are there.
func (c *content) verify(data []byte) error {
	announced := sums{}
	if err := sumsMessage.read(data, &announced); err != nil {
		return err
	}
	for _, k := range sections {
		want, ok := announced[sectionNames[k]]
		if !ok {
			return fmt.Errorf("there is no checksum for %s", sectionNames[k])
		}
		if have := c.sections[k].sum; have != want {
			return fmt.Errorf("the checksums of %s add up to %d, not to %d", sectionNames[k], have, want)
		}
	}
	return nil
}
