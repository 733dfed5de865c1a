package events

import (
	"encoding/json"
	"testing"
)

func TestIDsAreFoundInUsers(t *testing.T) {
	tests := map[string]struct{ user, wantUserID, wantCustomIDs string }{
		"no user has none":                         {user: ``},
		"an empty user has none":                   {user: `{}`},
		"a user without IDs has none":              {user: `{"email":"e","custom":{"userID":"no"}}`},
		"a user ID alone":                          {user: `{"userID":"u"}`, wantUserID: `"u"`},
		"both":                                     {user: `{"userID":"u","customIDs":{"a":"1","b":2}}`, wantUserID: `"u"`, wantCustomIDs: `{"a":"1","b":2}`},
		"both between others":                      {user: `{"x":[{"userID":"no"}],"userID":"u","y":-1.5,"customIDs":{},"z":null}`, wantUserID: `"u"`, wantCustomIDs: `{}`},
		"an ID with quotes and brackets":           {user: `{"userID":"a\"}],\\","email":"e"}`, wantUserID: `"a\"}],\\"`},
		"a custom ID with brackets in quotes":      {user: `{"customIDs":{"a":"}","b":"\\"},"userID":7}`, wantUserID: `7`, wantCustomIDs: `{"a":"}","b":"\\"}`},
		"text that is no object counts as a whole": {user: `u`, wantUserID: `u`},
		"an object that is cut off too":            {user: `{"userID":"u"`, wantUserID: `{"userID":"u"`},
		"an object cut off in a name too":          {user: `{"user`, wantUserID: `{"user`},
		"an object with a name only too":           {user: `{"userID"}`, wantUserID: `{"userID"}`},
		"an object with blanks too":                {user: `{ "userID": "u" }`, wantUserID: `{ "userID": "u" }`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			userID, customIDs := idsOf([]byte(tc.user))
			if string(userID) != tc.wantUserID || string(customIDs) != tc.wantCustomIDs {
				t.Errorf("IDs %s and %s, want %s and %s", userID, customIDs, tc.wantUserID, tc.wantCustomIDs)
			}
		})
	}
}

func FuzzIDsAreFoundInUsers(f *testing.F) {
	f.Add("u", "companyID", "c", `x"}{`, true)
	f.Add("", "", `\`, "\\\"", false)
	f.Fuzz(func(t *testing.T, id, idType, customID, attribute string, number bool) {
		user := map[string]any{
			"userID": id, "customIDs": map[string]any{idType: customID},
			"appVersion": attribute, "custom": map[string]any{"userID": attribute, "n": []any{attribute, number}},
		}
		text, err := json.Marshal(user)
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		userID, customIDs := idsOf(text)
		if string(userID) != string(want["userID"]) || string(customIDs) != string(want["customIDs"]) {
			t.Errorf("IDs of %s are %s and %s", text, userID, customIDs)
		}
		for i := range text {
			idsOf(text[:i]) // must not fail on what is cut off
		}
	})
}
