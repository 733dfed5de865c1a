package transport

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// newTransport fails the test on an error.
func newTransport(t *testing.T, o Options) *Transport {
	t.Helper()
	transport, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func TestOptionsAreChecked(t *testing.T) {
	const proxy = "http://proxy.test:3128"
	cases := map[string]struct {
		options Options
		want    string
	}{
		"a proxy without a scheme":       {Options{ProxyURL: "proxy.test:3128"}, "the proxy URL is not an absolute http or https URL"},
		"a proxy of another kind":        {Options{ProxyURL: "socks5://proxy.test"}, "the proxy URL is not an absolute http or https URL"},
		"a proxy without a host":         {Options{ProxyURL: "http://:3128"}, "the proxy URL is not an absolute http or https URL"},
		"a proxy that cannot be read":    {Options{ProxyURL: "http://u:hunter2@proxy:port"}, "the proxy URL is not an absolute http or https URL"},
		"a password in the proxy's URL":  {Options{ProxyURL: "http://u:hunter2@proxy"}, "the proxy URL holds credentials, which belong in fields of their own"},
		"a proxy with a path":            {Options{ProxyURL: proxy + "/hunter2"}, "the proxy URL has a path, a query or a fragment, which it must not have"},
		"a proxy with a query":           {Options{ProxyURL: proxy + "?p=hunter2"}, "the proxy URL has a path, a query or a fragment, which it must not have"},
		"a port out of range":            {Options{ProxyURL: "http://proxy:65536"}, "the port of the proxy URL is not between 1 and 65535"},
		"a password without a proxy":     {Options{ProxyPassword: secret.NewKey("hunter2")}, "there are credentials for a proxy, but no proxy URL"},
		"a user without a proxy":         {Options{ProxyUsername: "u"}, "there are credentials for a proxy, but no proxy URL"},
		"exceptions without a proxy":     {Options{NoProxy: []string{"a.test"}}, "there are exceptions from the proxy, but no proxy URL"},
		"a user name with a colon":       {Options{ProxyURL: proxy, ProxyUsername: "u:hunter2"}, "the proxy user name holds a colon or a control character"},
		"a password with its line break": {Options{ProxyURL: proxy, ProxyPassword: secret.NewKey("hunter2\n")}, "the proxy password holds a control character, perhaps a line break at its end"},
		"an exception that is a URL":     {Options{ProxyURL: proxy, NoProxy: []string{"a.test", "http://b.test"}}, "exception 2 from the proxy is no host, domain, IP address or CIDR block"},
		"an exception that is a list":    {Options{ProxyURL: proxy, NoProxy: []string{"a.test,b.test"}}, "exception 1 from the proxy is no host, domain, IP address or CIDR block"},
		"an exception that is empty":     {Options{ProxyURL: proxy, NoProxy: []string{""}}, "exception 1 from the proxy is no host, domain, IP address or CIDR block"},
		"a CIDR block that is none":      {Options{ProxyURL: proxy, NoProxy: []string{"10.0.0.0/33"}}, "exception 1 from the proxy is no host, domain, IP address or CIDR block"},
		"a negative timeout":             {Options{TLSHandshakeTimeout: -1}, "the TLS handshake timeout is negative"},
		"a CA bundle that is none":       {Options{TLS: TLSOptions{CABundle: []byte("hunter2")}}, "the CA bundle holds no certificate in PEM form"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			transport := newTransport(t, Options{})
			before := transport.Identity()
			if _, err := New(tc.options); err == nil || err.Error() != "transport options: "+tc.want {
				t.Errorf("New: want %q, got %v", tc.want, err)
			}
			if changed, err := transport.Update(tc.options); changed || err == nil {
				t.Errorf("Update: want an error and no change, got %v, %v", changed, err)
			}
			if transport.Identity() != before {
				t.Error("a refused update changed the configuration")
			}
		})
	}
}

func TestExceptionsFromTheProxy(t *testing.T) {
	transport := newTransport(t, Options{
		ProxyURL: "http://proxy.test:3128",
		NoProxy:  []string{"exact.test", ".below.test", "10.0.0.0/8", "192.0.2.1", "port.test:8443", "2001:db8::/32", "fd00::1"},
	})
	for target, wantProxied := range map[string]bool{
		"https://api.statsigcdn.com/v2": true,
		"http://api.statsigcdn.com/v2":  true,
		"https://exact.test":            false,
		"https://inside.exact.test":     false,
		"https://notexact.test":         true,
		"https://below.test":            true,
		"https://deep.below.test":       false,
		"http://10.1.2.3":               false,
		"http://11.1.2.3":               true,
		"http://192.0.2.1:8000":         false,
		"https://port.test:8443":        false,
		"https://port.test":             true,
		"http://[2001:db8::7]":          false,
		"http://[fd00::1]":              false,
		"http://[fd00::2]":              true,
		"http://127.0.0.1:8000":         false,
		"http://localhost:8000":         false,
	} {
		t.Run(target, func(t *testing.T) {
			u, err := url.Parse(target)
			if err != nil {
				t.Fatal(err)
			}
			proxy, err := transport.current.Load().http.Proxy(&http.Request{URL: u})
			if err != nil || (proxy != nil) != wantProxied {
				t.Errorf("want proxied %v, got %v, %v", wantProxied, proxy, err)
			}
		})
	}
}

func TestIdentities(t *testing.T) {
	a := newAuthority(t)
	base := Options{
		ProxyURL: "http://proxy.test", ProxyUsername: "u", ProxyPassword: secret.NewKey("hunter2"), NoProxy: []string{"a.test"},
		TLS: a.client(t, a, "client"),
	}
	same := base
	same.DialTimeout = DefaultDialTimeout
	if newTransport(t, base).Identity() != newTransport(t, same).Identity() {
		t.Error("equal options have different identities")
	}
	seen := map[string]string{newTransport(t, base).Identity(): "the base"}
	for name, edit := range map[string]func(*Options){
		"nothing set":          func(o *Options) { *o = Options{} },
		"another proxy":        func(o *Options) { o.ProxyURL = "https://proxy.test" },
		"another user":         func(o *Options) { o.ProxyUsername = "v" },
		"another password":     func(o *Options) { o.ProxyPassword = secret.NewKey("hunter3") },
		"no password":          func(o *Options) { o.ProxyPassword = secret.Key{} },
		"another exception":    func(o *Options) { o.NoProxy = []string{"b.test"} },
		"another authority":    func(o *Options) { o.TLS.CABundle = newAuthority(t).bundle },
		"another certificate":  func(o *Options) { o.TLS = a.client(t, a, "client") },
		"no certificate":       func(o *Options) { o.TLS = TLSOptions{} },
		"another dial timeout": func(o *Options) { o.DialTimeout = time.Second },
		"another TLS timeout":  func(o *Options) { o.TLSHandshakeTimeout = time.Second },
		"another wait":         func(o *Options) { o.ResponseHeaderTimeout = time.Second },
	} {
		o := base
		edit(&o)
		identity := newTransport(t, o).Identity()
		if other, taken := seen[identity]; taken {
			t.Errorf("%s has the identity of %s", name, other)
		}
		seen[identity] = name
	}
}

func TestProxiesOfTheEnvironmentCount(t *testing.T) {
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUEST_METHOD"} {
		t.Setenv(name, "")
	}
	transport := newTransport(t, Options{})
	before := transport.Identity()
	t.Setenv("HTTPS_PROXY", "u:hunter2@proxy.test:3128")
	t.Setenv("NO_PROXY", "direct.test")
	if changed, err := transport.Update(Options{}); err != nil || !changed || transport.Identity() == before {
		t.Fatalf("want a change, got %v, %v", changed, err)
	}
	if got := transport.current.Load().scrubber.Scrub("hunter2"); got != secret.Redacted {
		t.Errorf("the password of the environment is not known: %s", got)
	}
	for target, want := range map[string]string{
		"https://statsig.test": "http://u:hunter2@proxy.test:3128", "https://direct.test": "", "http://statsig.test": "",
	} {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		proxy, err := transport.current.Load().http.Proxy(&http.Request{URL: u})
		if err != nil {
			t.Fatal(err)
		}
		if got := proxy; got == nil && want != "" || got != nil && got.String() != want {
			t.Errorf("%s: want %q, got %v", target, want, got)
		}
	}
}

func TestNothingThatHoldsAPasswordPrintsIt(t *testing.T) {
	a := newAuthority(t)
	o := Options{ProxyURL: "http://proxy.test", ProxyUsername: "u", ProxyPassword: secret.NewKey("hunter2"), TLS: a.client(t, a, "client")}
	key := o.TLS.Key.Reveal()
	for _, v := range []any{o, o.TLS, newTransport(t, o)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "hunter2") || strings.Contains(text, key) {
				t.Errorf("%s of %T holds a secret: %s", verb, v, text)
			}
		}
	}
}
