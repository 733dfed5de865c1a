package useragent

import "strings"

// hints are things noticed on the way that no token holds.
type hints uint16

const (
	hintLinux hints = 1 << iota
	hintIOS
	hintMac
	hintWindows
	hintMobile
	hintSafari
	hintPlayStation
	hintHuawei
	hintCFNetwork
	hintCrawler
)

// has reports whether all the given hints were noticed.
func (h hints) has(all hints) bool { return h&all == all }

// scan is one pass over a user agent.
type scan struct {
	words words
	hints hints
	// os is the first operating system with a version, browser the last browser with one. Without a tag there was none.
	os, browser token
	// bot says that browser is a bot. Later bots don't count: many bots give a web address that has the word again.
	bot bool
	// few holds the tokens while there is room, so that most user agents need no memory; from then on many does.
	few  [24]token
	used int
	many []token
}

func (s *scan) run() {
	for !s.words.done() {
		s.words.skip(s.step())
	}
}

// step takes in the next word with those that belong to it, and returns how many they are.
func (s *scan) step() int {
	w := &s.words.window
	word := w[0]
	for _, p := range phrases[word] {
		if (p.next[0] == "" || p.next[0] == w[1]) && (p.next[1] == "" || p.next[1] == w[2]) {
			return s.phrase(p, w)
		}
	}
	switch {
	case word == "CrOS":
		return s.chromeOS(w)
	case strings.HasPrefix(word, "Windows"):
		return s.windows(w)
	case strings.HasPrefix(word, "AppleTV"):
		s.add(roleToken, token{tag: "ATV OS X"})
		return 2
	case strings.HasPrefix(word, "iPad"):
		s.device("iPad", word)
	case strings.HasPrefix(word, "iPhone"):
		s.device("iPhone", word)
	case strings.HasPrefix(word, "Apple-iPhone7C2"):
		s.device("iPhone", "iPhone")
	case len(word) > 2:
		s.product(word)
	}
	return 1
}

func (s *scan) phrase(p phrase, w *window) int {
	s.hints |= p.hints
	t, length := token{tag: p.tag}, p.length
	if p.version > 0 && numeric(w[p.version]) {
		t.version = w[p.version]
		length++
	}
	s.add(p.role, t)
	return length
}

// chromeOS takes in CrOS, an architecture and a version; the architecture may be missing.
func (s *scan) chromeOS(w *window) int {
	switch {
	case numeric(w[1]):
		s.add(roleOS, token{tag: "Chrome OS", version: w[1]})
		return 2
	case numeric(w[2]):
		s.add(roleOS, token{tag: "Chrome OS", version: w[2]})
		return 3
	default:
		s.add(roleOS, token{tag: "Chrome OS"})
		return 2
	}
}

// windows takes in a word that starts with Windows and the version behind it, with or without NT in between.
func (s *scan) windows(w *window) int {
	s.hints |= hintWindows
	t, length := token{tag: "Windows"}, 1
	switch {
	case w[1] == "NT" && numeric(w[2]):
		t.version, length = w[2], 3
	case strings.HasPrefix(w[1], "XP"):
		t.version, length = "XP", 2
	case w[1] != "NT" && numeric(w[1]):
		t.version, length = w[1], 2
	}
	s.add(roleOS, t)
	return length
}

// device takes in a device whose version is glued to its name, as in iPhone14,2.
func (s *scan) device(tag, word string) {
	s.hints |= hintIOS
	version, _, _ := strings.Cut(word[len(tag):], tag)
	s.add(roleToken, token{tag: tag, version: trim(version)})
}

// product takes in a word of the form tag/version.
func (s *scan) product(word string) {
	t := token{tag: word}
	if at := strings.IndexAny(word, "/:"); at >= 0 {
		if tag := trim(word[:at]); tag != "" {
			t.tag = tag
		}
		t.version = trim(word[at+1:])
	}
	known, ok := products[t.tag]
	switch {
	case ok:
		s.hints |= known.hints
		// The browser has asked for the desktop's page under the desktop's name.
		if known.iOS && s.os.tag == "Mac OS X" {
			s.os = token{tag: "iOS"}
		}
		s.add(known.role, token{tag: known.name, version: t.version})
	case isBot(t.tag):
		s.add(roleBot, t)
	case strings.Contains(t.version, "crawler"):
		s.hints |= hintCrawler
	case t.tag == "OculusBrowser":
		s.os = token{tag: "Android"}
	default:
		s.add(roleToken, t)
	}
}

func isBot(tag string) bool {
	return strings.Contains(tag, "Bot") || strings.Contains(tag, "bot") ||
		strings.Contains(tag, "Crawler") || strings.Contains(tag, "crawler")
}

// add takes in a token with its role.
func (s *scan) add(r role, t token) {
	if r&roleOS != 0 && t.version != "" && s.os.tag == "" {
		s.os = t
	}
	if r&roleBrowser != 0 && t.version != "" {
		s.browser = t
	}
	if r&roleBot != 0 && !s.bot {
		s.bot, s.browser = true, t
	}
	if r&^roleBot != 0 {
		s.keep(t)
	}
}

func (s *scan) keep(t token) {
	switch {
	case s.many != nil:
		s.many = append(s.many, t)
	case s.used < len(s.few):
		s.few[s.used] = t
		s.used++
	default:
		s.many = append(append(s.many, s.few[:]...), t)
	}
}

func (s *scan) tokens() []token {
	if s.many != nil {
		return s.many
	}
	return s.few[:s.used]
}
