package secret

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// keyPattern matches what Statsig issues, so that a key never registered (one mistyped into a URL, or echoed by a
// proxy) is caught too. Real keys have over forty characters after the dash; twenty tell them from words such as
// client-certificate.
var keyPattern = regexp.MustCompile(`(?:secret|client|console)-[A-Za-z0-9]{20,}`)

// minimumLength keeps a one-letter "key" from blanking every log line.
const minimumLength = 4

// Scrubber replaces keys in text. The zero value knows only the shape of Statsig's keys; [Scrubber.Add] teaches it
// others.
type Scrubber struct {
	mu       sync.RWMutex
	counts   map[string]int
	replacer *strings.Replacer
}

// Add registers a key until the returned function is called; calls nest, and the release may be called more than once.
// Keys shorter than four bytes are left out: they would blank ordinary text.
func (s *Scrubber) Add(k Key) (release func()) {
	text := k.Reveal()
	if len(text) < minimumLength {
		return func() {}
	}
	s.change(text, 1)
	var once sync.Once
	return func() { once.Do(func() { s.change(text, -1) }) }
}

// formsPerKey is the number of forms that most keys have: eight, with and without the space around them.
const formsPerKey = 16

func (s *Scrubber) change(text string, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[string]int{}
	}
	if s.counts[text] += by; s.counts[text] <= 0 {
		delete(s.counts, text)
	}
	all := make([]string, 0, formsPerKey*len(s.counts))
	for t := range s.counts {
		all = append(all, forms(t)...)
	}
	// Longest first: a key that is the prefix of another must not leave the other's tail behind.
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	pairs := make([]string, 0, 2*len(all))
	for _, form := range all {
		pairs = append(pairs, form, Redacted)
	}
	s.replacer = strings.NewReplacer(pairs...)
}

// forms returns how a key can look in text: as it is, without the line break that a Secret often ends in, and as URLs,
// quoted strings and the data of a Secret encode it.
func forms(text string) []string {
	all := make([]string, 0, formsPerKey)
	for _, t := range []string{text, strings.TrimSpace(text)} {
		if len(t) < minimumLength {
			continue
		}
		quoted := strconv.Quote(t)
		marshalled, _ := json.Marshal(t) // a string always has a JSON form
		all = append(all,
			t,
			url.PathEscape(t),
			url.QueryEscape(t),
			(&url.URL{Path: t}).EscapedPath(),
			url.User(t).String(),
			quoted[1:len(quoted)-1],
			string(marshalled[1:len(marshalled)-1]),
			base64.StdEncoding.EncodeToString([]byte(t)),
		)
	}
	return all
}

// Scrub returns text without any registered key and without anything shaped like a Statsig key.
func (s *Scrubber) Scrub(text string) string {
	s.mu.RLock()
	r := s.replacer
	s.mu.RUnlock()
	if r != nil {
		text = r.Replace(text)
	}
	// Most text has no key; finding that out costs no allocation.
	if !keyPattern.MatchString(text) {
		return text
	}
	return keyPattern.ReplaceAllString(text, Redacted)
}

// Error returns an error that prints as err's scrubbed text and still matches err with errors.Is and errors.As; what
// those find is not scrubbed. It returns nil for nil.
func (s *Scrubber) Error(err error) error {
	if err == nil {
		return nil
	}
	return &scrubbed{text: s.Scrub(err.Error()), err: func() error { return err }}
}

// scrubbed hides the error it stands for in a function, which package fmt cannot look into.
type scrubbed struct {
	text string
	err  func() error
}

func (e *scrubbed) Error() string { return e.text }
func (e *scrubbed) Unwrap() error { return e.err() }

// Format prints the scrubbed text under every verb, those for structs included.
func (e *scrubbed) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), e.text)
}

// Writer returns a writer that scrubs each Write before passing it to w. It suits line loggers, which write whole
// lines.
func (s *Scrubber) Writer(w io.Writer) io.Writer { return &writer{scrubber: s, w: w} }

type writer struct {
	scrubber *Scrubber
	w        io.Writer
}

func (w *writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.w, w.scrubber.Scrub(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
