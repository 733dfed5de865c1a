package events

// idsOf finds what tells units apart in a user's JSON object: its user ID and its custom IDs, as they are spelled there.
// [eval.Evaluator.LoggableUser] sorts custom IDs and writes no blanks; in anything else, all of it counts as the user ID.
// A user without IDs has neither, whatever else it says.
func idsOf(user []byte) (userID, customIDs []byte) {
	switch {
	case len(user) == 0, string(user) == "{}":
		return nil, nil
	case user[0] != '{':
		return user, nil
	}
	for i := 1; i < len(user) && user[i] == '"'; i++ {
		colon := endOfValue(user, i)
		end := endOfValue(user, colon+1)
		if colon >= len(user) || user[colon] != ':' || end >= len(user) {
			return user, nil
		}
		switch string(user[i:colon]) {
		case `"userID"`:
			userID = user[colon+1 : end]
		case `"customIDs"`:
			customIDs = user[colon+1 : end]
		}
		if i = end; user[i] == '}' || (userID != nil && customIDs != nil) {
			return userID, customIDs
		}
	}
	return user, nil
}

// endOfValue returns the position behind the JSON value that starts at i, len(text) at most.
func endOfValue(text []byte, i int) int {
	depth := 0
	for ; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfString(text, i)
			if depth == 0 {
				return i
			}
			i--
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

// endOfString returns the position behind the JSON string that starts at i.
func endOfString(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}
