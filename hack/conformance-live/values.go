package main

import (
	"encoding/json"
	"math/rand/v2"
)

// The values that documents and users share, so that they meet.
var (
	texts = []string{
		"", "a", "A", "abc", "ABC", "aBc def", "x6x", "statsig.com", "a@statsig.com", "B@Statsig.com", "Ünï", "ünï", "ß", "ẞ", "İ",
		"ΟΔΟΣ", "οδος", "K", "\u212a", "1", "1.0", "1.5", "-3", "+5", "true", "false", "null", " a ", "é\u0301", "🗻", "en_US", "US", "us", "GB",
		"production", "staging", "a,b", "a.b", `["a"]`, "inf", "NaN", "1e3", "0x10", "1_000", ".5", "5.", "\n", `"`, "control", "Control", "Test",
	}
	versions = []string{
		"1", "1.2", "1.2.0", "1.2.3", "1.10.0", "1.10", "1.2.3-beta", "1.2.3-beta.4", "v1.2", "1..2", "1.2.3.4.5", "+1.2", "-1.2", " 1.2", "1.2 ", "1.2.x",
		"", "-", "99999999999999999999", "0.0.0", "01.2",
	}
	instants = []string{
		"1700000000", "1700000000000", "1600000000", "9999999999", "10000000000", "-86400000", "0", "2023-11-14T22:13:20Z", "2023-11-14 22:13:20",
		"2023-11-14", "2023-11-14T22:13:20.000Z", "2023-11-14T22:13:20+01:00", "20231114T221320Z", "1969-12-31T23:59:59Z", "tomorrow", "",
	}
	patterns = []string{
		"^a", "a$", "[0-9]+", "(?i)abc", "a(?=b)", "(?<!x)b", `(.)\1`, "[", `\d+\.\d+`, `^\w+@\w+\.com$`, ".*", "", "^$", "x{2,}", `\p{Lu}`, "(?:a|b)+c",
		`^(?!.*x).*$`, "[[:alpha:]]+", `\bdef\b`, "ß|é",
	}
	numbers = []string{
		"0", "-0", "1", "-1", "1.0", "1e0", "1.5", "-3", "5", "9", "0.1", "1e21", "1E21", "1e-7", "1700000000", "1700000000000", "9007199254740993",
		"123456789012345678901234567890", "2.50", "100", "1e3", "-86400000", "86399999",
	}
	addresses = []string{
		"8.8.8.8", "1.1.1.1", "101.159.159.155", "85.49.238.1", "143.204.214.168", "192.168.1.1", "127.0.0.1", "::1", "", "8.8.8", "8.8.8.8.8", "+8.8.8.8",
		"255.255.255.255", "0.0.0.0", "a.b.c.d",
	}
	userAgents = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.6367.91 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Linux; Android 13; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/104.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.1 Safari/605.1.15",
		"Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0", "curl/8.0", "Googlebot/2.1", "",
	}
	agentFields  = []string{"os_name", "os_version", "browser_name", "browser_version", "OS_NAME", "device_model"}
	agentValues  = []string{"Windows", "iOS", "Android", "Mac OS X", "Linux", "Chrome", "Mobile Safari", "Firefox", "Other", "10", "17.5", "0.0.0"}
	customFields = []string{"f", "F", "level", "tags", "when", "flag", "ver", "o", "browser_name", "country", "tier"}
	userFields   = append([]string{
		"userID", "userid", "user_id", "email", "Email", "ip", "country", "locale", "appVersion", "app_version", "userAgent", "user_agent", "stableID", "missing", "",
	}, customFields...)
	idTypes      = []string{"userID", "userID", "userID", "stableID", "companyID", "USERID", "stableid", "missing"}
	environments = []string{"production", "staging", "Staging", "development"}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// chance is true in p of 100 cases.
func chance(r *rand.Rand, p int) bool { return r.IntN(100) < p }

// number is a number in one of its spellings.
func number(r *rand.Rand) json.RawMessage { return json.RawMessage(pick(r, numbers)) }

// scalar is a value that is no array and no object.
func scalar(r *rand.Rand) any {
	switch r.IntN(10) {
	case 0:
		return chance(r, 50)
	case 1, 2, 3:
		return number(r)
	case 4:
		return pick(r, versions)
	case 5:
		return pick(r, instants)
	default:
		return pick(r, texts)
	}
}

// member is an element of a user's array or object. Numbers in there keep their spelling here, and lose it in
// the SDK's Node binding, which has its own way with those of more than 32 bits.
func member(r *rand.Rand) any {
	if chance(r, 30) {
		return json.RawMessage(pick(r, []string{"0", "1", "-1", "1.5", "-3", "5", "9", "0.1", "2.5", "100", "1000", "86399999"}))
	}
	for {
		if x := scalar(r); !isNumber(x) {
			return x
		}
	}
}

func isNumber(x any) bool { _, ok := x.(json.RawMessage); return ok }

// list has up to n elements.
func list(r *rand.Rand, n int, element func(*rand.Rand) any) []any {
	l := make([]any, r.IntN(n+1))
	for i := range l {
		l[i] = element(r)
	}
	return l
}

// object has scalar members.
func object(r *rand.Rand) map[string]any {
	o := map[string]any{}
	for range r.IntN(4) {
		o[pick(r, []string{"a", "b", "A", "s", "n", "x6x", "é"})] = scalar(r)
	}
	return o
}
