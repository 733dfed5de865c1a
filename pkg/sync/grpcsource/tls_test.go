package grpcsource_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource"
)

// authority is a private CA.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// The certificates are good for longer than any of us.
var (
	notBefore = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: notBefore, NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = a.sign(template, template, nil)
	return a
}

func (a *authority) sign(template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// issue returns a certificate for the loopback interface.
func (a *authority) issue(usage x509.ExtKeyUsage) tls.Certificate {
	a.t.Helper()
	cert, key := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test"}, NotBefore: notBefore, NotAfter: notAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}, a.cert, a.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	oneWay := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.issue(x509.ExtKeyUsageServerAuth)}}
	mutual := oneWay.Clone()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool()
	old := oneWay.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	client := ca.issue(x509.ExtKeyUsageClientAuth)
	for name, tc := range map[string]struct {
		server, client *tls.Config
		wantErr        string // "" for none
	}{
		"a private CA": {oneWay, &tls.Config{RootCAs: ca.pool()}, ""},
		"a client certificate": {
			mutual, &tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{client}}, "",
		},
		"a client without a certificate": {mutual, &tls.Config{RootCAs: ca.pool()}, "out of reach"},
		"another CA":                     {oneWay, &tls.Config{RootCAs: other.pool()}, "certificate"},
		"a server without TLS":           {nil, &tls.Config{RootCAs: ca.pool()}, "out of reach"},
		"a client without TLS":           {oneWay, nil, "out of reach"},
		"a server that is too old":       {old, &tls.Config{RootCAs: ca.pool(), MinVersion: tls.VersionTLS10}, "out of reach"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t, document(1000), tc.server)
			s := newSource(t, p.Address(), func(o *grpcsource.Options) { o.TLS = tc.client })
			watch(t, s)
			answer, err := s.Fetch(t.Context(), specsync.Have{})
			switch {
			case tc.wantErr == "" && (err != nil || string(answer.Document) != document(1000).Document):
				t.Errorf("Fetch() = %+v, %v; want the document", answer, err)
			case tc.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tc.wantErr)):
				t.Errorf("Fetch() = %v, want an error about the %s", err, tc.wantErr)
			}
		})
	}
}
