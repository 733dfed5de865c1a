package eval

// topField is a property every user has a place for.
type topField uint8

const (
	noField topField = iota
	fieldUserID
	fieldEmail
	fieldIP
	fieldCountry
	fieldLocale
	fieldAppVersion
	fieldUserAgent
	topFields
)

// userIDType is the ID type that means the user ID, in any case.
const userIDType = "userID"

// topFieldNames are the names of the properties in lower case; a non-empty property is found first.
var topFieldNames = map[string]topField{
	"userid": fieldUserID, "email": fieldEmail, "ip": fieldIP, "country": fieldCountry, "locale": fieldLocale,
	"appversion": fieldAppVersion, "useragent": fieldUserAgent,
}

// topFieldAliases are further names, which count only after all other places were searched.
var topFieldAliases = map[string]topField{
	"user_id": fieldUserID, "app_version": fieldAppVersion, "user_agent": fieldUserAgent,
}

// fieldRef is a condition's field, prepared for look-up.
type fieldRef struct {
	name, lower string
	top, alias  topField
}

func newFieldRef(name string) *fieldRef {
	l := lower(name)
	return &fieldRef{name: name, lower: l, top: topFieldNames[l], alias: topFieldAliases[l]}
}

// unitRef is an ID type, prepared for look-up.
type unitRef struct {
	name, lower string
	isUserID    bool
}

func newUnitRef(idType string) *unitRef {
	l := lower(idType)
	return &unitRef{name: idType, lower: l, isUserID: l == "userid"}
}

// fieldSet maps names to values. Few names are searched one by one, which is faster than hashing.
type fieldSet struct {
	names  []string
	values []value
	index  map[string]int // nil where there are few
}

// maxLinear is the longest list that is searched one by one.
const maxLinear = 8

func newFieldSet(m map[string]any) fieldSet {
	s := fieldSet{}
	if len(m) == 0 {
		return s
	}
	s.grow(len(m))
	for name, x := range m {
		s.values[len(s.names)].set(x)
		s.names = append(s.names, name)
	}
	s.buildIndex()
	return s
}

func newStringSet(m map[string]string) fieldSet {
	s := fieldSet{}
	if len(m) == 0 {
		return s
	}
	s.grow(len(m))
	for name, x := range m {
		s.values[len(s.names)].setString(x)
		s.names = append(s.names, name)
	}
	s.buildIndex()
	return s
}

func (s *fieldSet) grow(n int) {
	s.names = make([]string, 0, n)
	s.values = make([]value, n)
}

func (s *fieldSet) buildIndex() {
	if len(s.names) <= maxLinear {
		return
	}
	s.index = make(map[string]int, len(s.names))
	for i, name := range s.names {
		s.index[name] = i
	}
}

// get returns nil for a name the set doesn't have.
func (s *fieldSet) get(name string) *value {
	if s.index != nil {
		if i, ok := s.index[name]; ok {
			return &s.values[i]
		}
		return nil
	}
	for i := range s.names {
		if s.names[i] == name {
			return &s.values[i]
		}
	}
	return nil
}

// find looks for the exact name, then for the lower-case one.
func (s *fieldSet) find(name, lower string) *value {
	if len(s.names) == 0 {
		return nil
	}
	v := s.get(name)
	if v == nil && lower != name {
		v = s.get(lower)
	}
	return v
}
