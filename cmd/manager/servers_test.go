package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// serving runs what is added to it until the test ends.
type serving struct {
	t     *testing.T
	added []manager.Runnable
}

func (s *serving) GetLogger() logr.Logger { return logr.Discard() }

func (s *serving) Add(runnable manager.Runnable) error {
	s.added = append(s.added, runnable)
	return nil
}

func (s *serving) start() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	ended := make(chan error)
	for _, runnable := range s.added {
		if r, ok := runnable.(manager.LeaderElectionRunnable); !ok || r.NeedLeaderElection() {
			s.t.Errorf("%T runs on the leader only", runnable)
		}
		go func() { ended <- runnable.Start(ctx) }()
	}
	s.t.Cleanup(func() {
		cancel()
		for range s.added {
			if err := <-ended; err != nil {
				s.t.Error(err)
			}
		}
	})
}

// hello answers everything.
var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

// issue writes a certificate with a serial number as kubelet does: all files change at once, by a link that is
// replaced.
func issue(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	version := fmt.Sprintf("..version%d", serial)
	for _, step := range []func() error{
		func() error { return os.Mkdir(filepath.Join(dir, version), 0o700) },
		func() error { return writePEM(filepath.Join(dir, version, "tls.crt"), "CERTIFICATE", certificate) },
		func() error { return writePEM(filepath.Join(dir, version, "tls.key"), "PRIVATE KEY", private) },
		func() error { return os.Symlink(version, filepath.Join(dir, "..next")) },
		func() error { return os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data")) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
}

func writePEM(path, kind string, content []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600)
}

// serialAt is the serial number of the certificate that a new connection is shown.
func serialAt(ctx context.Context, address string, maxVersion uint16) (int64, error) {
	dialer := &tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: maxVersion,
	}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func TestARenewedCertificateIsServed(t *testing.T) {
	dir := t.TempDir()
	issue(t, dir, 1)
	s := &serving{t: t}
	address, err := addServer(t.Context(), s, endpoints{"serving", "127.0.0.1:0", dir, hello})
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	if got, err := serialAt(t.Context(), address.String(), tls.VersionTLS13); err != nil || got != 1 {
		t.Fatalf("at first: got certificate %d, %v", got, err)
	}
	if _, err := serialAt(t.Context(), address.String(), tls.VersionTLS11); err == nil {
		t.Error("a version of TLS is spoken that is too old")
	}
	issue(t, dir, 2)
	last := int64(0)
	err = wait.PollUntilContextTimeout(t.Context(), 25*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		var err error
		last, err = serialAt(ctx, address.String(), tls.VersionTLS13)
		return last == 2, err
	})
	if err != nil {
		t.Errorf("after a renewal: got certificate %d, %v", last, err)
	}
}

func TestWithoutCertificateItIsPlainHTTP(t *testing.T) {
	s := &serving{t: t}
	address, err := addServer(t.Context(), s, endpoints{"webhooks", "127.0.0.1:0", "", hello})
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "hello" {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestAServerWithoutItsCertificateDoesNotStart(t *testing.T) {
	if _, err := addServer(t.Context(), &serving{t: t}, endpoints{"serving", "127.0.0.1:0", t.TempDir(), hello}); err == nil {
		t.Error("want an error")
	}
}
