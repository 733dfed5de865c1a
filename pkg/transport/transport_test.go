package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// answer answers with a text.
func answer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// get returns the body of an answer.
func get(t *testing.T, c *http.Client, target string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// peer answers with the name in the client's certificate.
func peer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
}

func TestPrivateAuthorities(t *testing.T) {
	a := newAuthority(t)
	server := httptest.NewUnstartedServer(answer("hello"))
	server.TLS = a.server(t)
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	transport := newTransport(t, Options{})
	c := &http.Client{Transport: transport}
	if _, err := get(t, c, server.URL); err == nil {
		t.Error("an unknown authority was trusted")
	}
	if _, err := transport.Update(Options{TLS: TLSOptions{CABundle: newAuthority(t).bundle}}); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, c, server.URL); err == nil {
		t.Error("an unknown authority was trusted beside another one")
	}
	if _, err := transport.Update(Options{TLS: TLSOptions{CABundle: a.bundle}}); err != nil {
		t.Fatal(err)
	}
	if got, err := get(t, c, server.URL); err != nil || got != "hello" {
		t.Errorf("want the answer, got %q, %v", got, err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	a := newAuthority(t)
	server := httptest.NewUnstartedServer(answer("hello"))
	server.TLS = a.server(t)
	server.TLS.MinVersion, server.TLS.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	server.StartTLS()
	defer server.Close()
	_, err := get(t, &http.Client{Transport: newTransport(t, Options{TLS: TLSOptions{CABundle: a.bundle}})}, server.URL)
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("want the protocol version refused, got %v", err)
	}
}

func TestClientCertificates(t *testing.T) {
	servers, clients := newAuthority(t), newAuthority(t)
	for _, http2 := range []bool{false, true} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(peer))
		server.TLS = servers.server(t)
		server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, clients.pool()
		server.EnableHTTP2 = http2
		server.StartTLS()
		defer server.Close()
		c := &http.Client{Transport: newTransport(t, Options{TLS: servers.client(t, clients, "operator")})}
		if got, err := get(t, c, server.URL); err != nil || got != "operator" {
			t.Errorf("HTTP/2 %v: want the certificate accepted, got %q, %v", http2, got, err)
		}
		for name, o := range map[string]TLSOptions{
			"none":                 {CABundle: servers.bundle},
			"of another authority": servers.client(t, servers, "operator"),
		} {
			c := &http.Client{Transport: newTransport(t, Options{TLS: o})}
			if got, err := get(t, c, server.URL); err == nil {
				t.Errorf("HTTP/2 %v: a certificate %s was accepted: %s", http2, name, got)
			}
		}
	}
}

// rotating is a server that changes its mind about whose client certificates it accepts.
type rotating struct {
	*httptest.Server

	clients atomic.Pointer[x509.CertPool]
	// entered tells that a request to /slow arrived; it is answered after release is closed.
	entered, release chan struct{}
}

func newRotating(t *testing.T, servers, clients *authority, http2 bool) *rotating {
	t.Helper()
	s := &rotating{entered: make(chan struct{}), release: make(chan struct{})}
	s.clients.Store(clients.pool())
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (r.ProtoMajor == 2) != http2 {
			t.Errorf("want HTTP/2 %v, got %s", http2, r.Proto)
		}
		if r.URL.Path == "/slow" {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			s.entered <- struct{}{}
			<-s.release
		}
		peer(w, r)
	}))
	s.TLS = servers.server(t)
	s.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		config := servers.server(t)
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, s.clients.Load()
		if http2 {
			config.NextProtos = []string{"h2"}
		}
		return config, nil
	}
	s.EnableHTTP2 = http2
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestACertificateIsRotated(t *testing.T) {
	servers, oldClients, newClients := newAuthority(t), newAuthority(t), newAuthority(t)
	for name, http2 := range map[string]bool{"with HTTP/1.1": false, "with HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			server := newRotating(t, servers, oldClients, http2)
			transport := newTransport(t, Options{TLS: servers.client(t, oldClients, "old")})
			c := &http.Client{Transport: transport}

			type result struct {
				body string
				err  error
			}
			slow := make(chan result, 1)
			go func() {
				body, err := get(t, c, server.URL+"/slow")
				slow <- result{body, err}
			}()
			<-server.entered

			server.clients.Store(newClients.pool())
			fresh := &http.Client{Transport: newTransport(t, Options{TLS: servers.client(t, oldClients, "old")})}
			if got, err := get(t, fresh, server.URL); err == nil {
				t.Errorf("the server still accepts old certificates: %s", got)
			}
			changed, err := transport.Update(Options{TLS: servers.client(t, newClients, "new")})
			if err != nil || !changed {
				t.Fatalf("want a change, got %v, %v", changed, err)
			}
			if got, err := get(t, c, server.URL); err != nil || got != "new" {
				t.Errorf("want the new certificate used, got %q, %v", got, err)
			}
			close(server.release)
			if got := <-slow; got.err != nil || got.body != "old" {
				t.Errorf("want the request under way to finish as it began, got %q, %v", got.body, got.err)
			}
		})
	}
}

// connections counts what a server sees of its connections.
type connections struct {
	opened atomic.Int32
	closed chan struct{}
}

func (c *connections) watch(server *httptest.Server) {
	c.closed = make(chan struct{}, 16)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			c.opened.Add(1)
		case http.StateClosed:
			c.closed <- struct{}{}
		default:
		}
	}
}

func TestUpdatesAndConnections(t *testing.T) {
	a := newAuthority(t)
	server := httptest.NewUnstartedServer(answer("hello"))
	server.TLS = a.server(t)
	var conns connections
	conns.watch(server)
	server.StartTLS()
	defer server.Close()
	transport := newTransport(t, Options{TLS: TLSOptions{CABundle: a.bundle}})
	c := &http.Client{Transport: transport}
	ask := func() {
		if got, err := get(t, c, server.URL); err != nil || got != "hello" {
			t.Fatalf("want the answer, got %q, %v", got, err)
		}
	}
	ask()
	if changed, err := transport.Update(Options{TLS: TLSOptions{CABundle: a.bundle}}); err != nil || changed {
		t.Errorf("equal options: want no change, got %v, %v", changed, err)
	}
	ask()
	if n := conns.opened.Load(); n != 1 {
		t.Errorf("want one connection after an update that changed nothing, got %d", n)
	}
	if changed, err := transport.Update(Options{TLS: a.client(t, a, "client")}); err != nil || !changed {
		t.Errorf("other options: want a change, got %v, %v", changed, err)
	}
	<-conns.closed
	ask()
	if n := conns.opened.Load(); n != 2 {
		t.Errorf("want a second connection after the update, got %d", n)
	}
	transport.CloseIdleConnections()
	<-conns.closed
}

func TestTheConnectionOfARequestUnderWayIsClosedAfterIt(t *testing.T) {
	a := newAuthority(t)
	entered, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "hello")
	}))
	server.TLS = a.server(t)
	var conns connections
	conns.watch(server)
	server.StartTLS()
	defer server.Close()
	transport := newTransport(t, Options{TLS: TLSOptions{CABundle: a.bundle}})
	done := make(chan error, 1)
	go func() {
		_, err := get(t, &http.Client{Transport: transport}, server.URL)
		done <- err
	}()
	<-entered
	if _, err := transport.Update(Options{}); err != nil {
		t.Fatal(err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-conns.closed
}

func TestTimeouts(t *testing.T) {
	mute, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	stalled := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer stalled.Close()
	for name, tc := range map[string]struct {
		options Options
		target  string
	}{
		"a handshake that is not answered": {Options{TLSHandshakeTimeout: time.Millisecond}, "https://" + mute.Addr().String()},
		"a request that is not answered":   {Options{ResponseHeaderTimeout: time.Millisecond}, stalled.URL},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := get(t, &http.Client{Transport: newTransport(t, tc.options)}, tc.target)
			var timeout net.Error
			if !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("want a timeout, got %v", err)
			}
		})
	}
}

func TestUpdatesAmongRequests(t *testing.T) {
	server := httptest.NewServer(answer("hello"))
	defer server.Close()
	transport := newTransport(t, Options{})
	c := &http.Client{Transport: transport}
	ctx, cancel := context.WithCancel(t.Context())
	var updates sync.WaitGroup
	for i := range 2 {
		updates.Go(func() {
			for n := time.Duration(1); ctx.Err() == nil; n++ {
				if _, err := transport.Update(Options{DialTimeout: time.Minute + 2*n + time.Duration(i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		if got, err := get(t, c, server.URL); err != nil || got != "hello" {
			t.Fatalf("want the answer, got %q, %v", got, err)
		}
	}
	cancel()
	updates.Wait()
}
