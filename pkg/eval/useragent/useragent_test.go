package useragent_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/useragent"
)

var (
	_ eval.UserAgentParser = useragent.FirstParty{}
	_ eval.UserAgentParser = (*useragent.ThirdParty)(nil)
)

const (
	safariOnIPad = "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) " +
		"Version/17.5 Mobile/15E148 Safari/604.1"
	chromeOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) " +
		"Chrome/124.0.6367.91 Safari/537.36"
	googlebot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
)

func TestFirstPartyParse(t *testing.T) {
	tests := map[string]struct {
		userAgent string
		want      eval.UserAgent
		reason    string
	}{
		"nothing": {
			userAgent: "",
			want: eval.UserAgent{
				OSName: "Other", OSVersion: "0.0.0", BrowserName: "Other", BrowserVersion: "0.0.0",
			},
		},
		"Safari on a tablet": {
			userAgent: safariOnIPad,
			want: eval.UserAgent{
				OSName: "iOS", OSVersion: "17.5", BrowserName: "Mobile Safari", BrowserVersion: "17.5",
			},
		},
		"Chrome on Windows": {
			userAgent: chromeOnWindows,
			want: eval.UserAgent{
				OSName: "Windows", OSVersion: "10", BrowserName: "Chrome", BrowserVersion: "124.0.6367.91",
			},
		},
		"a Windows version without a name": {
			userAgent: "Mozilla/5.0 (Windows NT 6.2) Firefox/115.0",
			want: eval.UserAgent{
				OSName: "Windows", OSVersion: "0.0.0", BrowserName: "Firefox", BrowserVersion: "115.0",
			},
		},
		"Mac OS without X": {
			userAgent: "Mac OS 9.1 Firefox/2.0 Camino/1.0",
			want: eval.UserAgent{
				OSName: "Mac OS X", OSVersion: "9.1", BrowserName: "Other", BrowserVersion: "0.0.0",
			},
			reason: "the word behind the version is swallowed",
		},
		"a browser that asks for the desktop's page": {
			userAgent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_4) CriOS/124.0.6367.88 Safari/605.1.15",
			want: eval.UserAgent{
				OSName: "iOS", OSVersion: "0.0.0", BrowserName: "Chrome Mobile iOS", BrowserVersion: "124.0.6367.88",
			},
		},
		"a bot with a web address": {
			userAgent: googlebot,
			want: eval.UserAgent{
				OSName: "Other", OSVersion: "0.0.0", BrowserName: "Googlebot", BrowserVersion: "2.1",
			},
			reason: "only the first bot counts",
		},
		"the second part of a version ends at its first letter": {
			userAgent: "Firefox/3.6b2.1pre.4.5",
			want: eval.UserAgent{
				OSName: "Other", OSVersion: "0.0.0", BrowserName: "Firefox", BrowserVersion: "3.6.1pre.4",
			},
		},
		"some browsers have three parts only": {
			userAgent: "YaBrowser/24.1.2.3",
			want: eval.UserAgent{
				OSName: "Other", OSVersion: "0.0.0", BrowserName: "Yandex Browser", BrowserVersion: "24.1.2",
			},
		},
		"a network library gives the app's name": {
			userAgent: "NetworkingExtension/8613.1 MyApp/2 CFNetwork/1404 Darwin/22.3",
			want: eval.UserAgent{
				OSName: "iOS", OSVersion: "0.0.0", BrowserName: "CFNetwork", BrowserVersion: "2",
			},
			reason: "the extension's name is that of the library, with the version of what follows",
		},
		"more tokens than usual": {
			userAgent: strings.Repeat("word/1 ", 100) + "Chrome/1.2",
			want: eval.UserAgent{
				OSName: "Other", OSVersion: "0.0.0", BrowserName: "Chrome", BrowserVersion: "1.2",
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, useragent.FirstParty{}.Parse(tc.userAgent)); diff != "" {
				t.Errorf("Parse(%q) %s (-want +got):\n%s", tc.userAgent, tc.reason, diff)
			}
		})
	}
}

func TestThirdPartyParse(t *testing.T) {
	tests := map[string]struct {
		userAgent string
		want      eval.UserAgent
		reason    string
	}{
		"nothing": {
			userAgent: "",
			want: eval.UserAgent{
				OSName: "Other", OSVersion: "0.0.0", BrowserName: "Other", BrowserVersion: "0.0.0",
			},
		},
		"versions have three parts": {
			userAgent: safariOnIPad,
			want: eval.UserAgent{
				OSName: "iOS", OSVersion: "17.5.0", BrowserName: "Mobile Safari", BrowserVersion: "17.5.0",
			},
		},
		"a browser that the reduced list does not know": {
			userAgent: chromeOnWindows + " Vivaldi/6.7",
			want: eval.UserAgent{
				OSName: "Windows", OSVersion: "10.0.0", BrowserName: "Chrome", BrowserVersion: "124.0.6367",
			},
			reason: "uap-core's full list has Vivaldi",
		},
	}
	parser := newThirdParty(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, parser.Parse(tc.userAgent)); diff != "" {
				t.Errorf("Parse(%q) %s (-want +got):\n%s", tc.userAgent, tc.reason, diff)
			}
		})
	}
}

func TestFirstPartyParseDoesNotAllocate(t *testing.T) {
	for _, userAgent := range []string{chromeOnWindows, googlebot} {
		if allocs := testing.AllocsPerRun(100, func() { useragent.FirstParty{}.Parse(userAgent) }); allocs != 0 {
			t.Errorf("Parse(%q) made %v allocations, want none", userAgent, allocs)
		}
	}
}

func FuzzFirstParty(f *testing.F) {
	for _, row := range readTable(f, "ua.first_party.jsonl.gz")[:200] {
		f.Add(row.userAgent)
	}
	f.Fuzz(func(t *testing.T, userAgent string) {
		got := useragent.FirstParty{}.Parse(userAgent)
		if got.OSName == "" || got.BrowserName == "" {
			t.Errorf("Parse(%q) = %+v, want names", userAgent, got)
		}
	})
}

func FuzzThirdParty(f *testing.F) {
	for _, row := range readTable(f, "ua.third_party.jsonl.gz")[:200] {
		f.Add(row.userAgent)
	}
	parser := newThirdParty(f)
	f.Fuzz(func(t *testing.T, userAgent string) {
		got := parser.Parse(userAgent)
		if got.OSName == "" || got.BrowserName == "" || strings.Count(got.OSVersion, ".") < 2 {
			t.Errorf("Parse(%q) = %+v, want names and a version of three parts", userAgent, got)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	parsers := map[string]eval.UserAgentParser{"FirstParty": useragent.FirstParty{}, "ThirdParty": newThirdParty(b)}
	for name, parser := range parsers {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parser.Parse(chromeOnWindows)
			}
		})
	}
}
