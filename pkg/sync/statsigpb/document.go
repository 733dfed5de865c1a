package statsigpb

import (
	"errors"
	"strconv"

	"github.com/tidwall/gjson"
)

// maxEntities bounds the entities of a document, so that many tiny ones cannot fill the memory with bookkeeping.
const maxEntities = 1 << 20

// entity is one entity in its JSON form.
type entity struct {
	name     string
	checksum string
	json     string // "" once it was removed
}

// section is one map of the document, in the order of the stream.
type section struct {
	entities []entity
	index    map[string]int
	// sum is that of the entities' checksums, kept up to date because a stream may ask for it at any time.
	sum uint64
}

// put adds an entity, or replaces the one of that name.
func (s *section) put(e entity) {
	s.sum += checksumNumber(e.checksum)
	if i, ok := s.index[e.name]; ok {
		s.sum -= checksumNumber(s.entities[i].checksum)
		s.entities[i] = e
		return
	}
	if s.index == nil {
		s.index = map[string]int{}
	}
	s.index[e.name] = len(s.entities)
	s.entities = append(s.entities, e)
}

func (s *section) remove(name string) {
	i, ok := s.index[name]
	if !ok {
		return
	}
	s.sum -= checksumNumber(s.entities[i].checksum)
	s.entities[i] = entity{}
	delete(s.index, name)
}

func (s *section) find(name string) (entity, bool) {
	i, ok := s.index[name]
	if !ok {
		return entity{}, false
	}
	return s.entities[i], true
}

// checksumNumber is what a checksum adds to the sum of its section; a text that is no number adds nothing.
func checksumNumber(checksum string) uint64 {
	n, err := strconv.ParseUint(checksum, 10, 32)
	if err != nil {
		return 0
	}
	return n
}

// member is one member of the document's object that is not a section.
type member struct {
	name string
	json string
}

// content is a document in parts.
type content struct {
	members  []member
	sections [len(sectionNames)]section
	// entities and left are how many entities, and how many bytes of JSON, may still come.
	entities int
	left     int64
	// quoted is where names are measured as they will be written.
	quoted []byte
}

func newContent(limit int64) *content { return &content{entities: maxEntities, left: limit} }

// put adds an entity to the section of its kind.
func (c *content) put(k kind, e entity) error {
	c.entities--
	if err := c.count(e.name, e.json); err != nil {
		return err
	}
	c.sections[k].put(e)
	return nil
}

func (c *content) add(name, json string) error {
	c.members = append(c.members, member{name, json})
	return c.count(name, json)
}

// count refuses what would exceed a limit. What is replaced later counts too, so that repetition is bounded as well.
func (c *content) count(name, json string) error {
	c.quoted = appendString(c.quoted[:0], name)
	c.left -= int64(len(c.quoted) + len(json) + len(`:,`))
	if c.left < 0 || c.entities < 0 {
		return ErrTooLarge
	}
	return nil
}

// member returns the JSON of a member, "" when there is none.
func (c *content) member(name string) string {
	for _, m := range c.members {
		if m.name == name {
			return m.json
		}
	}
	return ""
}

var errPrevious = errors.New("the document held is not one that deltas can be applied to")

// parseContent takes a JSON document apart.
func parseContent(document []byte, limit int64) (*content, error) {
	c := newContent(limit)
	root := gjson.ParseBytes(document)
	if !root.IsObject() {
		return nil, errPrevious
	}
	var err error
	root.ForEach(func(key, value gjson.Result) bool {
		k, ok := sectionOf(key.String())
		if !ok {
			err = c.add(key.String(), value.Raw)
			return err == nil
		}
		if !value.IsObject() {
			err = errPrevious
			return false
		}
		err = c.parseSection(k, value)
		return err == nil
	})
	return c, err
}

func (c *content) parseSection(k kind, value gjson.Result) error {
	var err error
	value.ForEach(func(key, value gjson.Result) bool {
		checksum := value.Get("checksum").String()
		err = c.put(k, entity{name: key.String(), checksum: checksum, json: value.Raw})
		return err == nil
	})
	return err
}

func sectionOf(name string) (kind, bool) {
	for _, k := range sections {
		if sectionNames[k] == name {
			return k, true
		}
	}
	return 0, false
}

// sectionOverhead is room for the braces and names of all sections.
const sectionOverhead = 256

// json writes the document, which takes about size bytes. Parameter stores are left out when there are none, as the official SDK does.
func (c *content) json(size int) []byte {
	o := object{buf: make([]byte, 0, size)}
	o.begin()
	for _, m := range c.members {
		o.key(m.name)
		o.buf = append(o.buf, m.json...)
	}
	for _, k := range sections {
		s := &c.sections[k]
		if k == kindStore && len(s.index) == 0 {
			continue
		}
		o.key(sectionNames[k])
		o.begin()
		for _, e := range s.entities {
			if e.json != "" {
				o.key(e.name)
				o.buf = append(o.buf, e.json...)
			}
		}
		o.end()
	}
	o.end()
	return o.buf
}
