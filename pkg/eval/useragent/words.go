package useragent

import "strings"

// lookahead is how many words a decision may depend on.
const lookahead = 4

// window holds the next words, trimmed; missing ones are empty.
type window [lookahead]string

// words walks over the words of a user agent. Blanks and semicolons separate them, so that a word may be empty.
type words struct {
	window window
	// loaded is the number of words in the window, trimmed to nothing or not.
	loaded int
	rest   string
	ended  bool
}

func newWords(text string) words {
	w := words{rest: text}
	for range lookahead {
		w.load()
	}
	return w
}

func (w *words) done() bool { return w.loaded == 0 }

// load puts one more word into the window, as long as there is one.
func (w *words) load() {
	if w.ended {
		return
	}
	word := w.rest
	if end := strings.IndexAny(w.rest, "; "); end >= 0 {
		word, w.rest = w.rest[:end], w.rest[end+1:]
	} else {
		w.ended = true
	}
	w.window[w.loaded] = trim(word)
	w.loaded++
}

// skip moves n words on.
func (w *words) skip(n int) {
	for range min(n, w.loaded) {
		copy(w.window[:], w.window[1:])
		w.window[lookahead-1] = ""
		w.loaded--
		w.load()
	}
}

// trim removes what is no part of a name or version from both ends.
func trim(s string) string { return strings.Trim(s, `();,+_"`) }

// numeric reports whether a word can be a version.
func numeric(word string) bool { return word != "" && isDigit(word[0]) }
