package secret

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestScrub(t *testing.T) {
	const odd = `p/w d"+&%<é>`
	cases := map[string]struct {
		keys []string
		text string
		want string
	}{
		"text without a key stays": {
			keys: []string{sdkKey},
			text: `GET "https://api.statsigcdn.com/v2/download_config_specs": EOF`,
			want: `GET "https://api.statsigcdn.com/v2/download_config_specs": EOF`,
		},
		"a registered key goes": {
			keys: []string{"secret-demo"},
			text: `Get "https://cdn/download_config_specs/secret-demo.json?sinceTime=1": EOF`,
			want: `Get "https://cdn/download_config_specs/[redacted].json?sinceTime=1": EOF`,
		},
		"every occurrence goes": {
			keys: []string{"secret-demo", "hunter22"},
			text: "secret-demo,hunter22,secret-demosecret-demo",
			want: "[redacted],[redacted],[redacted][redacted]",
		},
		"the longer of two keys goes whole": {
			keys: []string{"secret-a", "secret-abc"},
			text: "secret-abc secret-a",
			want: "[redacted] [redacted]",
		},
		"a key that was never registered is known by its shape": {
			text: "https://cdn/v2/download_config_specs/" + sdkKey + ".json",
			want: "https://cdn/v2/download_config_specs/[redacted].json",
		},
		"the shape is found inside a word": {
			text: "key_" + sdkKey + "_x client-" + sdkKey[7:] + " console-" + sdkKey[7:],
			want: "key_[redacted]_x [redacted] [redacted]",
		},
		"words that only begin like keys stay": {
			text: `secrets "client-certificate" and "secret-reader" not found; console-settings; secret-`,
			want: `secrets "client-certificate" and "secret-reader" not found; console-settings; secret-`,
		},
		"a key too short to tell from words stays": {
			keys: []string{"abc"},
			text: "abcdef",
			want: "abcdef",
		},
		"a key with a line break is found without it": {
			keys: []string{"hunter22\n"},
			text: "a hunter22 b hunter22\n",
			want: "a [redacted] b [redacted]",
		},
		"the path-escaped form goes":  {keys: []string{odd}, text: "/" + url.PathEscape(odd) + "/", want: "/[redacted]/"},
		"the query-escaped form goes": {keys: []string{odd}, text: "?k=" + url.QueryEscape(odd) + "&", want: "?k=[redacted]&"},
		"the form in a URL's path goes": {
			keys: []string{odd}, text: (&url.URL{Scheme: "http", Host: "h", Path: "/" + odd + "/x"}).String(),
			want: "http://h/[redacted]/x",
		},
		"the form of a URL's password goes": {
			keys: []string{odd}, text: (&url.URL{Scheme: "http", Host: "h", User: url.UserPassword("u", odd)}).String(),
			want: "http://u:[redacted]@h",
		},
		"the quoted form goes": {keys: []string{odd}, text: strconv.Quote("a " + odd), want: `"a [redacted]"`},
		"the JSON form goes":   {keys: []string{odd}, text: `"a p/w d\"+\u0026%\u003cé\u003e"`, want: `"a [redacted]"`},
		"the form in a Secret's data goes": {
			keys: []string{odd}, text: "sdkKey: " + base64.StdEncoding.EncodeToString([]byte(odd)), want: "sdkKey: [redacted]",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var s Scrubber
			for _, key := range tc.keys {
				s.Add(NewKey(key))
			}
			if got := s.Scrub(tc.text); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestRelease(t *testing.T) {
	var s Scrubber
	key := NewKey("hunter22")
	first, second := s.Add(key), s.Add(key)
	steps := []struct {
		name string
		do   func()
		want string
	}{
		{"both hold it", func() {}, Redacted},
		{"one of two released it", first, Redacted},
		{"the same one released it again", first, Redacted},
		{"both released it", second, "hunter22"},
		{"both released it again", second, "hunter22"},
		{"it was added anew", func() { s.Add(key) }, Redacted},
	}
	for _, step := range steps {
		step.do()
		if got := s.Scrub("hunter22"); got != step.want {
			t.Errorf("when %s, scrubbing gives %s, want %s", step.name, got, step.want)
		}
	}
	s.Add(Key{})()
}

type statusError struct{ URL string }

func (e statusError) Error() string { return "status 500 from " + e.URL }

func TestScrubbedError(t *testing.T) {
	var s Scrubber
	s.Add(NewKey("secret-demo"))
	inner := statusError{URL: "http://cdn/secret-demo.json"}
	err := s.Error(fmt.Errorf("fetching config specs: %w", errors.Join(inner, io.ErrUnexpectedEOF)))

	wrapped := map[string]error{
		"alone": err, "wrapped": fmt.Errorf("reconciling: %w", err), "joined": errors.Join(errors.New("other"), err),
		"of a struct": s.Error(inner),
	}
	for name, err := range wrapped {
		t.Run(name, func(t *testing.T) {
			if got := err.Error(); strings.Contains(got, "secret-demo") || !strings.Contains(got, Redacted) {
				t.Errorf("Error gives %s", got)
			}
			for verb := rune('!'); verb <= '~'; verb++ {
				for _, flags := range []string{"", "+", "#"} {
					if got := fmt.Sprintf("%"+flags+string(verb), err); strings.Contains(got, "secret-demo") {
						t.Errorf("%%%s%c prints %s", flags, verb, got)
					}
				}
			}
			var found statusError
			if !errors.As(err, &found) || found != inner {
				t.Errorf("errors.As finds %v, want the inner error", found)
			}
		})
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("errors.Is does not find the inner error")
	}
	if got := fmt.Sprintf("%v|%+v|%s|%-8.4s|%q", err, err, err, err, s.Error(io.EOF)); !strings.HasSuffix(got, `|fetc    |"EOF"`) {
		t.Errorf("verbs for text print %s", got)
	}
	if s.Error(nil) != nil {
		t.Error("the scrubbed nil is not nil")
	}
}

func TestScrubbedURLError(t *testing.T) {
	var s Scrubber
	key := NewKey("secret-demo\n")
	s.Add(key)
	_, err := url.Parse("http://cdn/" + key.Reveal() + ".json")
	if err == nil || !strings.Contains(err.Error(), "secret-demo") {
		t.Fatalf("got %v, want an error that quotes the URL", err)
	}
	if got := s.Error(err).Error(); strings.Contains(got, "secret-demo") {
		t.Errorf("got %s", got)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWriter(t *testing.T) {
	var s Scrubber
	s.Add(NewKey("secret-demo"))
	var out bytes.Buffer
	line := []byte("key secret-demo\n")
	n, err := s.Writer(&out).Write(line)
	if n != len(line) || err != nil {
		t.Errorf("Write gives %d, %v, want %d and no error", n, err, len(line))
	}
	if got := out.String(); got != "key [redacted]\n" {
		t.Errorf("wrote %q", got)
	}
	if _, err := s.Writer(failingWriter{}).Write(line); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got error %v, want the writer's", err)
	}
}

func TestScrubberIsSafeForConcurrentUse(t *testing.T) {
	var s Scrubber
	s.Add(NewKey("secret-demo"))
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			key := NewKey("hunter" + strconv.Itoa(i))
			for range 50 {
				release := s.Add(key)
				if got := s.Scrub("secret-demo " + key.Reveal()); got != "[redacted] [redacted]" {
					t.Errorf("got %s", got)
				}
				release()
			}
		})
	}
	group.Wait()
}

// FuzzScrub leaves out keys that overlap with the placeholder: putting it in would spell them again.
func FuzzScrub(f *testing.F) {
	f.Add(sdkKey, "secret-other", "a ", " b ")
	f.Add("abab", "baba", "ab", "ba")
	f.Add("p/w d", "p/w", "?k=", "\n")
	f.Add("key\n", "  key", "key", "")
	f.Fuzz(func(t *testing.T, one, two, before, after string) {
		var s Scrubber
		keys := []string{one, two}
		for _, key := range keys {
			s.Add(NewKey(key))
		}
		text := before + one + after + url.QueryEscape(two) + before + url.PathEscape(one) + two + after + strconv.Quote(one)
		got := s.Scrub(text)
		for _, key := range keys {
			if len(key) >= minimumLength && !overlapsPlaceholder(key) && strings.Contains(got, key) {
				t.Errorf("%q in %q", key, got)
			}
		}
	})
}

func overlapsPlaceholder(key string) bool {
	if strings.Contains(Redacted, key) || strings.Contains(key, Redacted) {
		return true
	}
	for n := 1; n <= min(len(key), len(Redacted)); n++ {
		if strings.HasSuffix(Redacted, key[:n]) || strings.HasPrefix(Redacted, key[len(key)-n:]) {
			return true
		}
	}
	return false
}

func BenchmarkScrub(b *testing.B) {
	var s Scrubber
	s.Add(NewKey(sdkKey))
	line := `{"level":"info","msg":"Fetched config specs","url":"https://cdn/` + sdkKey + `.json","bytes":1234}`
	b.ReportAllocs()
	for b.Loop() {
		s.Scrub(line)
	}
}
