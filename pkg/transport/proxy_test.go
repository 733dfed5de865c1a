package transport

import (
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// proxy is an HTTP proxy that wants credentials and takes every request to one server, whatever its host.
type proxy struct {
	*httptest.Server

	target string
	mu     sync.Mutex
	seen   []string
}

var proxyToken = "Basic " + base64.StdEncoding.EncodeToString([]byte("user:hunter2%/"))

func newProxy(t *testing.T, target *httptest.Server, a *authority) *proxy {
	t.Helper()
	p := &proxy{target: target.Listener.Addr().String()}
	p.Server = httptest.NewUnstartedServer(p)
	if a == nil {
		p.Start()
	} else {
		p.TLS = a.server(t)
		p.StartTLS()
	}
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Proxy-Authorization") != proxyToken {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	p.mu.Lock()
	p.seen = append(p.seen, r.Method+" "+r.RequestURI)
	p.mu.Unlock()
	if r.Method != http.MethodConnect {
		forward := r.Clone(r.Context())
		forward.RequestURI, forward.URL.Host = "", p.target
		resp, err := http.DefaultTransport.RoundTrip(forward)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
		return
	}
	upstream, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", p.target)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = upstream.Close() }()
	client, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = client.Close() }()
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(upstream, client)
		_ = upstream.Close()
	}()
	_, _ = io.Copy(client, upstream)
}

func (p *proxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.seen...)
}

func TestRequestsGoThroughTheProxy(t *testing.T) {
	a := newAuthority(t)
	cases := map[string]struct {
		proxyTLS  bool
		targetTLS bool
		target    string
		want      []string
	}{
		"https through an http proxy":  {targetTLS: true, target: "https://example.com/a", want: []string{"CONNECT example.com:443"}},
		"https through an https proxy": {proxyTLS: true, targetTLS: true, target: "https://example.com/a", want: []string{"CONNECT example.com:443"}},
		"http through an http proxy":   {target: "http://example.com/a", want: []string{"GET http://example.com/a"}},
		"http through an https proxy":  {proxyTLS: true, target: "http://example.com/a", want: []string{"GET http://example.com/a"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(answer("hello"))
			defer server.Close()
			if tc.targetTLS {
				server.TLS = a.server(t)
				server.StartTLS()
			} else {
				server.Start()
			}
			var proxyAuthority *authority
			if tc.proxyTLS {
				proxyAuthority = a
			}
			p := newProxy(t, server, proxyAuthority)
			c := &http.Client{Transport: newTransport(t, Options{
				ProxyURL: p.URL, ProxyUsername: "user", ProxyPassword: secret.NewKey("hunter2%/"), TLS: TLSOptions{CABundle: a.bundle},
			})}
			if got, err := get(t, c, tc.target); err != nil || got != "hello" {
				t.Errorf("want the answer of the server, got %q, %v", got, err)
			}
			if diff := cmp.Diff(tc.want, p.requests()); diff != "" {
				t.Errorf("the proxy's requests (-want +got):\n%s", diff)
			}
			if got, err := get(t, c, server.URL); err != nil || got != "hello" || len(p.requests()) != 1 {
				t.Errorf("want loopback addresses asked directly, got %q, %v", got, err)
			}
		})
	}
}

func TestAPasswordCanBeCorrected(t *testing.T) {
	a := newAuthority(t)
	server := httptest.NewUnstartedServer(answer("hello"))
	server.TLS = a.server(t)
	server.StartTLS()
	defer server.Close()
	p := newProxy(t, server, nil)
	o := Options{
		ProxyURL: p.URL, ProxyUsername: "user", ProxyPassword: secret.NewKey("hunter1"), TLS: TLSOptions{CABundle: a.bundle},
	}
	transport := newTransport(t, o)
	c := &http.Client{Transport: transport}
	_, err := get(t, c, "https://example.com/a")
	if !errors.Is(err, ErrProxy) || !strings.Contains(err.Error(), "status 407 Proxy Authentication Required") {
		t.Errorf("want a refusal by the proxy, got %v", err)
	}
	o.ProxyPassword = secret.NewKey("hunter2%/")
	if changed, err := transport.Update(o); err != nil || !changed {
		t.Fatalf("want a change, got %v, %v", changed, err)
	}
	if got, err := get(t, c, "https://example.com/a"); err != nil || got != "hello" {
		t.Errorf("want the answer of the server, got %q, %v", got, err)
	}
}

// TestNoErrorShowsTheCredentials has proxies give back what they were shown in every place that ends up in an error.
func TestNoErrorShowsTheCredentials(t *testing.T) {
	const password = "hunter2%/"
	token := strings.TrimPrefix(proxyToken, "Basic ")
	for name, echo := range map[string]string{
		"no HTTP":              "ECHO\r\n\r\n",
		"a status":             "HTTP/1.1 407 ECHO\r\n\r\n",
		"a status that is odd": "HTTP/1.1 ECHO\r\n\r\n",
		"a header":             "HTTP/1.1 200 OK\r\nECHO\r\n\r\n",
		"a transfer encoding":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: ECHO\r\n\r\n",
		"nothing":              "",
		"no TLS":               "HTTP/1.1 200 OK\r\n\r\nECHO",
	} {
		for what, text := range map[string]string{"password": password, "pair": "user:" + password, "token": token, "escaped": url.PathEscape(password)} {
			t.Run(name+" with the "+what, func(t *testing.T) {
				p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					conn, _, err := w.(http.Hijacker).Hijack()
					if err != nil {
						return
					}
					defer func() { _ = conn.Close() }()
					_, _ = io.WriteString(conn, strings.ReplaceAll(echo, "ECHO", text))
				}))
				defer p.Close()
				c := &http.Client{Transport: newTransport(t, Options{
					ProxyURL: p.URL, ProxyUsername: "user", ProxyPassword: secret.NewKey(password),
				})}
				_, err := get(t, c, "https://example.com/")
				if err == nil {
					t.Fatal("want an error")
				}
				for _, hidden := range []string{"hunter2", token} {
					if strings.Contains(err.Error(), hidden) {
						t.Errorf("%q holds %q", err, hidden)
					}
				}
			})
		}
	}
}

func TestAProxyThatIsGone(t *testing.T) {
	p := httptest.NewServer(answer(""))
	p.Close()
	c := &http.Client{Transport: newTransport(t, Options{ProxyURL: p.URL, ProxyUsername: "user", ProxyPassword: secret.NewKey("hunter2")})}
	_, err := get(t, c, "https://example.com/")
	if err == nil || !strings.Contains(err.Error(), "proxyconnect") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("want an error that names the proxy's part, got %v", err)
	}
}
