package eval

// member tells how one member of a JSON object is read into a T.
type member[T any] struct {
	name     string
	required bool
	read     func(*reader, *T)
}

// object lists the members of a JSON object that are read; all others are stepped over. At most 64.
type object[T any] []member[T]

// read reads one object into t. As in the reference decoder a known member may stand only once.
func (o object[T]) read(r *reader, t *T) {
	if !r.open('{', "an object") {
		return
	}
	var seen uint64
	next := 0
	for r.more('}') {
		name := r.key()
		i := o.find(name, next)
		if i < 0 {
			r.skip()
			continue
		}
		if seen&(1<<i) != 0 {
			r.reject("duplicate field %q", name)
		}
		seen |= 1 << i
		o[i].read(r, t)
		next = i + 1
	}
	for i := range o {
		if r.legacy {
			// v1 documents leave out what has a default.
			break
		}
		if o[i].required && seen&(1<<i) == 0 {
			r.reject("missing field %q", o[i].name)
		}
	}
}

// find looks for a member by name. It starts behind the one found before, because documents keep the order of their
// members from object to object.
func (o object[T]) find(name string, start int) int {
	for i := start; i < len(o); i++ {
		if o[i].name == name {
			return i
		}
	}
	for i := 0; i < min(start, len(o)); i++ {
		if o[i].name == name {
			return i
		}
	}
	return -1
}

// nullable makes a reader step over null and leave the target as it is.
func nullable[T any](read func(*reader, *T)) func(*reader, *T) {
	return func(r *reader, t *T) {
		if !r.null() {
			read(r, t)
		}
	}
}

// each reads an object as a map: read is called for every member's name.
func (r *reader) each(read func(name string)) {
	if !r.open('{', "a map") {
		return
	}
	for r.more('}') {
		read(r.key())
	}
}

// elements reads an array: read is called at every element.
func (r *reader) elements(read func()) {
	if !r.open('[', "an array") {
		return
	}
	for r.more(']') {
		read()
	}
}

// strings reads an array of strings; an empty array is not nil.
func (r *reader) strings() []string {
	list := []string{}
	r.elements(func() { list = append(list, r.str()) })
	return list
}

// readMap reads an object of objects; name is told each entry's name and text.
func readMap[T any](r *reader, o object[T], name func(t *T, name, text string)) map[string]*T {
	m := map[string]*T{}
	r.each(func(key string) {
		t := new(T)
		text := r.captured(func() { o.read(r, t) })
		name(t, key, text)
		m[key] = t
	})
	return m
}
