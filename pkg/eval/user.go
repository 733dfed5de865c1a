package eval

import "sync/atomic"

// UserAttributes is what a caller knows of a user. Values in Custom and PrivateAttributes are nil, bool, string, any Go
// number, []any or map[string]any; other values count as null. The maps belong to the User built from them and must not
// be changed afterwards.
type UserAttributes struct {
	UserID, Email, IP, UserAgent, Country, Locale, AppVersion string // "" is absent
	// CustomIDs maps ID types such as companyID to unit IDs.
	CustomIDs map[string]string
	// Custom holds further fields, which conditions can read and exposures report.
	Custom map[string]any
	// PrivateAttributes are fields that conditions can read; they never leave the process.
	PrivateAttributes map[string]any
	// Environment is the user's statsigEnvironment; its key tier overrides the project's environment.
	Environment map[string]string
}

// User is a prepared user: built once, evaluated many times. It is safe for concurrent use.
type User struct {
	top         [topFields]*value // nil where absent
	custom      fieldSet
	private     fieldSet
	customIDs   fieldSet
	environment fieldSet
	loggable    loggable
	agent       atomic.Pointer[agentValues]
	origin      atomic.Pointer[countryValue]
}

// NewUser prepares a user for evaluation.
func NewUser(a UserAttributes) *User {
	u := &User{
		custom:      newFieldSet(a.Custom),
		private:     newFieldSet(a.PrivateAttributes),
		customIDs:   newStringSet(a.CustomIDs),
		environment: newStringSet(a.Environment),
	}
	texts := [topFields]string{
		fieldUserID: a.UserID, fieldEmail: a.Email, fieldIP: a.IP, fieldCountry: a.Country, fieldLocale: a.Locale,
		fieldAppVersion: a.AppVersion, fieldUserAgent: a.UserAgent,
	}
	present := 0
	for _, text := range texts {
		if text != "" {
			present++
		}
	}
	values := make([]value, present)
	for f, text := range texts {
		if text == "" {
			continue
		}
		values[0].setString(text)
		u.top[f] = &values[0]
		values = values[1:]
	}
	u.loggable = loggable{custom: a.Custom, hasCustomIDs: a.CustomIDs != nil}
	return u
}

// UserID is the user's ID, "" when there is none.
func (u *User) UserID() string { return u.text(fieldUserID) }

// CustomID is the user's unit ID of a type, "" when there is none. The type userID, in any case, is the user ID; other
// types are looked up exactly and then in lower case.
func (u *User) CustomID(idType string) string {
	return u.unit(newUnitRef(idType)).text
}

func (u *User) text(f topField) string {
	if v := u.top[f]; v != nil {
		return v.text
	}
	return ""
}

// unit returns a unit ID, absent when the user has none of that type.
func (u *User) unit(ref *unitRef) *value {
	v := u.top[fieldUserID]
	if !ref.isUserID {
		v = u.customIDs.find(ref.name, ref.lower)
	}
	if v == nil {
		return absent
	}
	return v
}

// field looks a field up: a non-empty property of that name, custom fields, the project's global fields, private
// attributes, and at last the property that the name is an alias of. A null ends the search like any other value.
func (u *User) field(ref *fieldRef, globals *fieldSet) *value {
	if ref.top != noField {
		if v := u.top[ref.top]; v != nil && v.text != "" {
			return v
		}
	}
	if v := u.custom.find(ref.name, ref.lower); v != nil {
		return v
	}
	if v := globals.find(ref.name, ref.lower); v != nil {
		return v
	}
	if v := u.private.find(ref.name, ref.lower); v != nil {
		return v
	}
	if ref.alias != noField {
		if v := u.top[ref.alias]; v != nil {
			return v
		}
	}
	return absent
}
