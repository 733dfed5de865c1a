package specsync

import (
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/transport"
)

func newTransport(t *testing.T, o transport.Options) *transport.Transport {
	t.Helper()
	made, err := transport.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.CloseIdleConnections)
	return made
}

// sourceOver returns a source that asks address by way of a transport.
func sourceOver(t *testing.T, carrier http.RoundTripper, address string) *HTTPSource {
	t.Helper()
	c, err := NewClient(ClientOptions{Key: secret.NewKey(testKey), Transport: carrier})
	if err != nil {
		t.Fatal(err)
	}
	source, err := NewHTTPSource(c, "HTTP", address)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestATransportIsUpdatedUnderASource(t *testing.T) {
	server := httptest.NewTLSServer(body(noUpdates))
	defer server.Close()
	carrier := newTransport(t, transport.Options{})
	source := sourceOver(t, carrier, server.URL)
	identity := source.Identity()
	_, err := source.Fetch(t.Context(), Have{Time: 1, Checksum: "a"})
	wantClean(t, err)
	if !strings.Contains(err.Error(), "certificate") {
		t.Errorf("want the server's certificate refused, got %v", err)
	}
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if _, err := carrier.Update(transport.Options{TLS: transport.TLSOptions{CABundle: bundle}}); err != nil {
		t.Fatal(err)
	}
	if answer, err := source.Fetch(t.Context(), Have{}); err != nil || string(answer.Document) != noUpdates {
		t.Errorf("want the document, got %q, %v", answer.Document, err)
	}
	if source.Identity() != identity {
		t.Error("the update made another source of it")
	}
}

func TestIdentitiesOfClientsFollowTheTransport(t *testing.T) {
	shared := newTransport(t, transport.Options{})
	identity := func(carrier http.RoundTripper) string { return sourceOver(t, carrier, "http://specs.test").Identity() }
	if again := identity(shared); again != identity(shared) {
		t.Error("the same transport makes different sources")
	}
	if again := identity(nil); again != identity(nil) {
		t.Error("no transport makes different sources")
	}
	if identity(shared) == identity(nil) || identity(shared) == identity(newTransport(t, transport.Options{})) {
		t.Error("a transport of its own, which may be updated, is shared")
	}
}

// TestNoErrorOfAProxyShowsItsCredentials has a proxy give back what it was shown.
func TestNoErrorOfAProxyShowsItsCredentials(t *testing.T) {
	token := base64.StdEncoding.EncodeToString([]byte("user:hunter2"))
	for name, answer := range map[string]string{
		"nothing":            "",
		"a refusal":          "HTTP/1.1 407 hunter2 TOKEN\r\n\r\n",
		"no HTTP":            "hunter2 TOKEN\r\n\r\n",
		"a status":           "HTTP/1.1 hunter2 TOKEN\r\n\r\n",
		"a header":           "HTTP/1.1 200 OK\r\nhunter2 TOKEN\r\n\r\n",
		"a redirect":         "HTTP/1.1 302 Found\r\nLocation: http://user:hunter2@elsewhere.test/?sig=TOKEN\r\nContent-Length: 0\r\n\r\n",
		"a redirect to none": "HTTP/1.1 302 Found\r\nLocation: http://[hunter2 TOKEN\r\nContent-Length: 0\r\n\r\n",
	} {
		for _, scheme := range []string{"http", "https"} {
			t.Run(name+" for "+scheme, func(t *testing.T) {
				proxy := httptest.NewServer(raw(strings.ReplaceAll(answer, "TOKEN", token)))
				defer proxy.Close()
				carrier := newTransport(t, transport.Options{
					ProxyURL: proxy.URL, ProxyUsername: "user", ProxyPassword: secret.NewKey("hunter2"),
				})
				_, err := sourceOver(t, carrier, scheme+"://specs.test").Fetch(t.Context(), Have{Time: 1, Checksum: "a"})
				wantClean(t, err)
				for _, text := range texts(err) {
					if strings.Contains(text, token) {
						t.Errorf("%q holds the credentials", text)
					}
				}
			})
		}
	}
}

func TestRequestsGoThroughAProxy(t *testing.T) {
	var authorization string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Proxy-Authorization")
		_, _ = io.WriteString(w, noUpdates)
	}))
	defer proxy.Close()
	carrier := newTransport(t, transport.Options{
		ProxyURL: proxy.URL, ProxyUsername: "user", ProxyPassword: secret.NewKey("hunter2"),
	})
	answer, err := sourceOver(t, carrier, "http://specs.test").Fetch(t.Context(), Have{})
	if err != nil || string(answer.Document) != noUpdates || !strings.HasPrefix(authorization, "Basic ") {
		t.Errorf("want the proxy's answer, got %q, %v", answer.Document, err)
	}
}
