package redisstore

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/transport"
)

var _ specsync.DataStore = (*Store)(nil)

const (
	key      = "statsig|/v2/download_config_specs|plain_text|hidden-key"
	password = "hunter2%/"
)

func newStore(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantValue fails the test unless s has this value.
func wantValue(t *testing.T, s *Store, want string) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); err != nil || string(got) != want {
		t.Errorf("want %q, got %q, %v", want, got, err)
	}
}

// wantClean fails the test unless there is an error with this text, and nothing secret in it.
func wantClean(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("want %q, got %v", want, err)
	}
	for _, hidden := range []string{"hunter2", "hidden-key", "download_config_specs"} {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, hidden) {
			t.Errorf("%q holds %q", text, hidden)
		}
	}
}

func TestValues(t *testing.T) {
	cases := map[string]struct {
		prepare func(*miniredis.Miniredis)
		want    string
		wantErr error
	}{
		"a string":                         {prepare: func(m *miniredis.Miniredis) { _ = m.Set(key, "text") }, want: "text"},
		"bytes":                            {prepare: func(m *miniredis.Miniredis) { _ = m.Set(key, "\x00\xff") }, want: "\x00\xff"},
		"the hash of a forward proxy":      {prepare: func(m *miniredis.Miniredis) { m.HSet(key, "lcut", "1", "config", "text") }, want: "text"},
		"nothing":                          {prepare: func(*miniredis.Miniredis) {}, wantErr: specsync.ErrNoValue},
		"an empty string":                  {prepare: func(m *miniredis.Miniredis) { _ = m.Set(key, "") }, wantErr: specsync.ErrNoValue},
		"a hash that holds something else": {prepare: func(m *miniredis.Miniredis) { m.HSet(key, "lcut", "1") }, wantErr: specsync.ErrNoValue},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			tc.prepare(server)
			got, err := newStore(t, Options{Address: server.Addr()}).Get(t.Context(), key)
			if string(got) != tc.want || !errors.Is(err, tc.wantErr) {
				t.Errorf("want %q, %v, got %q, %v", tc.want, tc.wantErr, got, err)
			}
		})
	}
}

func TestAValueOfAnotherKind(t *testing.T) {
	server := miniredis.RunT(t)
	if _, err := server.Lpush(key, "text"); err != nil {
		t.Fatal(err)
	}
	_, err := newStore(t, Options{Address: server.Addr()}).Get(t.Context(), key)
	wantClean(t, err, "asking redis at "+server.Addr()+": WRONGTYPE")
}

func TestDatabases(t *testing.T) {
	server := miniredis.RunT(t)
	if err := server.DB(0).Set(key, "zero"); err != nil {
		t.Fatal(err)
	}
	if err := server.DB(7).Set(key, "seven"); err != nil {
		t.Fatal(err)
	}
	wantValue(t, newStore(t, Options{Address: server.Addr()}), "zero")
	wantValue(t, newStore(t, Options{Address: server.Addr(), Database: 7}), "seven")
}

func TestLogins(t *testing.T) {
	named := func(m *miniredis.Miniredis) { m.RequireUserAuth("user", password) }
	unnamed := func(m *miniredis.Miniredis) { m.RequireAuth(password) }
	cases := map[string]struct {
		require  func(*miniredis.Miniredis)
		username string
		password string
		// want is what the error says, "" for none.
		want string
	}{
		"a password":                       {require: unnamed, password: password},
		"a user and a password":            {require: named, username: "user", password: password},
		"no password where one is needed":  {require: unnamed, want: "NOAUTH"},
		"another password":                 {require: unnamed, password: password + "3", want: "WRONGPASS"},
		"another user":                     {require: named, username: "hunter2-user", password: password, want: "WRONGPASS"},
		"another password of a named user": {require: named, username: "user", password: password + "3", want: "WRONGPASS"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			if err := server.Set(key, "text"); err != nil {
				t.Fatal(err)
			}
			tc.require(server)
			s := newStore(t, Options{Address: server.Addr(), Username: tc.username, Password: secret.NewKey(tc.password)})
			if tc.want == "" {
				wantValue(t, s, "text")
				return
			}
			_, err := s.Get(t.Context(), key)
			wantClean(t, err, tc.want)
		})
	}
}

func TestAPasswordIsRotated(t *testing.T) {
	server := miniredis.RunT(t)
	if err := server.Set(key, "text"); err != nil {
		t.Fatal(err)
	}
	server.RequireAuth("first")
	s := newStore(t, Options{Address: server.Addr(), Password: secret.NewKey("first")})
	identity := s.Identity()
	wantValue(t, s, "text")
	server.RequireAuth("second")
	if _, err := s.Get(t.Context(), key); err == nil {
		t.Error("the old password still works")
	}
	if err := s.Update(Options{Address: server.Addr(), Password: secret.NewKey("second\n")}); err == nil {
		t.Error("a bad password was taken")
	}
	if err := s.Update(Options{Address: server.Addr(), Password: secret.NewKey("second")}); err != nil {
		t.Fatal(err)
	}
	wantValue(t, s, "text")
	if s.Identity() != identity || newStore(t, Options{Address: server.Addr()}).Identity() == identity {
		t.Error("an identity must stay, and must belong to one store")
	}
}

// certificates returns what a server at 127.0.0.1 shows, and how to trust it.
func certificates(t *testing.T) (tls.Certificate, *x509.CertPool, []byte) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return server.TLS.Certificates[0], pool, bundle
}

// pair returns a certificate with its key as PEM.
func pair(t *testing.T, c tls.Certificate) (certificate []byte, private secret.Key) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	return certificate, secret.NewKey(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func TestTLS(t *testing.T) {
	certificate, _, bundle := certificates(t)
	server, err := miniredis.RunTLS(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	server.RequireAuth(password)
	if err := server.Set(key, "text"); err != nil {
		t.Fatal(err)
	}
	o := Options{Address: server.Addr(), Password: secret.NewKey(password), TLS: &transport.TLSOptions{CABundle: bundle}}
	wantValue(t, newStore(t, o), "text")

	o.TLS = &transport.TLSOptions{}
	_, err = newStore(t, o).Get(t.Context(), key)
	wantClean(t, err, "certificate")

	o.TLS = nil
	_, err = newStore(t, o).Get(t.Context(), key)
	wantClean(t, err, "asking redis at")
}

func TestClientCertificates(t *testing.T) {
	certificate, pool, bundle := certificates(t)
	server, err := miniredis.RunTLS(&tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate},
		ClientAuth: tls.RequireAnyClientCert, ClientCAs: pool,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := server.Set(key, "text"); err != nil {
		t.Fatal(err)
	}
	shown, private := pair(t, certificate)
	options := &transport.TLSOptions{CABundle: bundle, Certificate: shown, Key: private}
	wantValue(t, newStore(t, Options{Address: server.Addr(), TLS: options}), "text")
	_, err = newStore(t, Options{Address: server.Addr(), TLS: &transport.TLSOptions{CABundle: bundle}}).Get(t.Context(), key)
	wantClean(t, err, "certificate required")
}

func TestAServerThatIsGoneAndComesBack(t *testing.T) {
	server := miniredis.RunT(t)
	if err := server.Set(key, "text"); err != nil {
		t.Fatal(err)
	}
	address := server.Addr()
	s := newStore(t, Options{Address: address})
	wantValue(t, s, "text")
	server.Close()
	_, err := s.Get(t.Context(), key)
	wantClean(t, err, "asking redis at "+address+": dial: connect: connection refused")
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	wantValue(t, s, "text")
}

func TestAServerThatIsMute(t *testing.T) {
	mute, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	s := newStore(t, Options{Address: mute.Addr().String(), Password: secret.NewKey(password)})

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = s.Get(ctx, key)
	wantClean(t, err, "no answer in time")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want the deadline in the chain, got %#v", err)
	}

	if err := s.Update(Options{Address: mute.Addr().String(), Timeout: 10 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Get(t.Context(), key)
	wantClean(t, err, "no answer in time")

	ended, end := context.WithCancel(t.Context())
	end()
	if _, err = s.Get(ended, key); !errors.Is(err, context.Canceled) {
		t.Errorf("want the end of the context in the chain, got %v", err)
	}
}

// scripted answers each command by its name, in Redis's protocol, with what answers has for it.
func scripted(t *testing.T, answers map[string]string) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				serveScript(conn, answers)
			}()
		}
	}()
	return listener.Addr().String()
}

func serveScript(conn net.Conn, answers map[string]string) {
	in := bufio.NewReader(conn)
	for {
		header, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(header, "*")))
		if err != nil {
			return
		}
		var name string
		for i := range words {
			_, _ = in.ReadString('\n')
			word, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if i == 0 {
				name = strings.ToLower(strings.TrimSpace(word))
			}
		}
		answer, known := answers[name]
		if !known {
			answer = "-ERR unknown command\r\n"
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

func TestAHashThatIsTooLarge(t *testing.T) {
	address := scripted(t, map[string]string{
		"getrange": "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
		"hstrlen":  ":" + strconv.Itoa(specsync.MaxDocumentBytes+1) + "\r\n",
	})
	if _, err := newStore(t, Options{Address: address}).Get(t.Context(), key); !errors.Is(err, specsync.ErrTooLarge) {
		t.Errorf("want %v, got %v", specsync.ErrTooLarge, err)
	}
}

// TestNoErrorShowsThePassword has a server give back what it was sent.
func TestNoErrorShowsThePassword(t *testing.T) {
	echo := "-ERR user hunter has not the password " + password + "\r\n"
	for name, answers := range map[string]map[string]string{
		"at the login":   {"hello": echo, "auth": echo},
		"at the command": {"hello": "-ERR unknown command\r\n", "auth": "+OK\r\n", "getrange": echo},
		"as no Redis":    {"hello": password + "\r\n", "auth": password + "\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, Options{Address: scripted(t, answers), Username: "user", Password: secret.NewKey(password)})
			_, err := s.Get(t.Context(), key)
			wantClean(t, err, "asking redis at")
			for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
				if text := fmt.Sprintf(verb, s); strings.Contains(text, "hunter2") {
					t.Errorf("%s of the store holds the password: %s", verb, text)
				}
			}
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	const address = "redis.test:6379"
	for name, tc := range map[string]struct {
		options Options
		want    string
	}{
		"no address":                     {Options{}, "the address is not host:port"},
		"an address without a port":      {Options{Address: "redis.test"}, "the address is not host:port"},
		"an address without a host":      {Options{Address: ":6379"}, "the address is not host:port"},
		"a URL":                          {Options{Address: "redis://u:hunter2@redis.test:6379"}, "the address is not host:port"},
		"a password in the address":      {Options{Address: "u:hunter2@redis.test:6379"}, "the address is not host:port"},
		"a port out of range":            {Options{Address: "redis.test:65536"}, "the port of the address is not between 1 and 65535"},
		"a user without a password":      {Options{Address: address, Username: "u"}, "there is a user name, but no password"},
		"a password with its line break": {Options{Address: address, Password: secret.NewKey("hunter2\n")}, "the user name or the password holds a control character, perhaps a line break at its end"},
		"a negative database":            {Options{Address: address, Database: -1}, "the number of the database is negative"},
		"a negative timeout":             {Options{Address: address, Timeout: -1}, "the timeout is negative"},
		"a CA bundle that is none":       {Options{Address: address, TLS: &transport.TLSOptions{CABundle: []byte("hunter2")}}, "the CA bundle holds no certificate in PEM form"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(tc.options); err == nil || err.Error() != "redis options: "+tc.want {
				t.Errorf("want %q, got %v", tc.want, err)
			}
		})
	}
}
