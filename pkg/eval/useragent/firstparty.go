package useragent

import (
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// other is the name of what is not recognised, and noVersion the version of what has none.
const (
	other     = "Other"
	noVersion = "0.0.0"
)

// FirstParty is Server Core's own parser. It implements eval.UserAgentParser. The zero value is ready to use.
type FirstParty struct{}

// Parse reads a user agent. Names are "Other" and versions "0.0.0" where nothing is recognised; versions have one to
// four parts otherwise. The result may share memory with userAgent.
func (FirstParty) Parse(userAgent string) eval.UserAgent {
	s := scan{words: newWords(userAgent)}
	s.run()
	var ua eval.UserAgent
	ua.OSName, ua.OSVersion = s.chooseOS()
	ua.BrowserName, ua.BrowserVersion = s.chooseBrowser()
	return ua
}

// chooseOS picks the operating system: the first versioned one, else what the tokens say in their order, else the
// hints.
func (s *scan) chooseOS() (name, version string) {
	if s.os.tag != "" {
		return s.os.tag, s.os.versionText()
	}
	for _, t := range s.tokens() {
		if name, version, ok := s.osOf(t); ok {
			return name, version
		}
	}
	switch {
	case s.hints.has(hintIOS):
		return "iOS", noVersion
	case s.hints.has(hintMac):
		return "Mac OS X", noVersion
	case s.hints.has(hintWindows):
		return "Windows", noVersion
	case s.hints.has(hintLinux):
		return "Linux", noVersion
	default:
		return other, noVersion
	}
}

// osOf returns the operating system that a token names, and false when it names none.
func (s *scan) osOf(t token) (name, version string, ok bool) {
	switch t.tag {
	case "ATV OS X", "Chromecast", "Red Hat":
		return t.tag, noVersion, true
	case "Android", "Kindle", "Ubuntu", "iOS":
		return t.tag, t.versionText(), true
	case "CPU OS":
		return "iOS", t.versionText(), s.hints.has(hintIOS)
	case "Version":
		return "iOS", t.versionText(), s.hints.has(hintIOS | hintMac)
	default:
		return "Android", noVersion, strings.HasPrefix(t.tag, "Android")
	}
}

// chooseBrowser picks the browser: the last versioned one or the first bot, else the first that a token names, else
// what the engine's tokens and the hints say.
func (s *scan) chooseBrowser() (name, version string) {
	if s.browser.tag != "" {
		return s.browser.tag, s.browser.versionText()
	}
	// The zero token stands for one that did not come up.
	var android, chrome, release token
	for _, t := range s.tokens() {
		switch t.tag {
		case "Android":
			android = t
		case "Version":
			release = t
		case "Chrome":
			chrome = t
		default:
			if name, version, ok := s.browserOf(t); ok {
				return name, version
			}
		}
	}
	switch {
	case chrome.tag != "":
		return s.chooseChrome(chrome, android, release)
	case android.tag != "":
		return "Android", android.versionText()
	default:
		return s.chooseEngine(release)
	}
}

// chooseChrome tells Chrome from what is built on it.
func (s *scan) chooseChrome(chrome, android, release token) (name, version string) {
	switch {
	case release.tag != "":
		return "Chrome Mobile WebView", chrome.versionText()
	case s.hints.has(hintMobile) && chrome.version != "" && !s.hints.has(hintHuawei):
		return "Chrome Mobile", chrome.versionText()
	case chrome.version == "" && android.tag != "":
		return "Android", android.versionText()
	default:
		return "Chrome", chrome.versionText()
	}
}

// browserOf returns the browser that a token names, and false when it names none.
func (s *scan) browserOf(t token) (name, version string, ok bool) {
	switch t.tag {
	case "Firefox", "Edge", "Opera":
		if s.hints.has(hintMobile) {
			return t.tag + " Mobile", t.versionText(), true
		}
		return t.tag, t.versionText(), true
	case "NetFront NX", "axios", "HeadlessChrome":
		return t.tag, t.versionText(), true
	case "YaBrowser":
		return "Yandex Browser", t.versionText(), true
	case "Yahoo! Slurp":
		return t.tag, noVersion, true
	case "Silk":
		if s.hints.has(hintPlayStation) {
			return "NetFront NX", noVersion, true
		}
		return "Amazon Silk", t.versionText(), true
	default:
		return "", "", false
	}
}

// chooseEngine picks the browser where no token names one. release is the Version token, if any: Safari puts its
// version there.
func (s *scan) chooseEngine(release token) (name, version string) {
	tokens := s.tokens()
	switch {
	case s.hints.has(hintCFNetwork) && len(tokens) > 0:
		if tokens[0].tag != "NetworkingExtension" {
			return tokens[0].tag, tokens[0].versionText()
		}
		if len(tokens) == 1 {
			return "CFNetwork", noVersion
		}
		return "CFNetwork", tokens[1].versionText()
	case s.hints.has(hintSafari) && s.hints.has(hintMobile) && !s.hints.has(hintMac):
		return "Mobile Safari", release.versionText()
	case s.hints.has(hintSafari):
		return "Safari", release.versionText()
	case s.hints.has(hintIOS):
		return "Mobile Safari UI/WKWebView", noVersion
	case s.hints.has(hintCrawler):
		return "crawler", noVersion
	default:
		return other, noVersion
	}
}
