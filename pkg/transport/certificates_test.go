package transport

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// authority is a certificate authority of a test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	bundle      []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of " + t.Name()},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.certificate, a.bundle = sign(t, template, template, &a.key.PublicKey, a.key)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(
	t *testing.T, template, parent *x509.Certificate, public *ecdsa.PublicKey, signer *ecdsa.PrivateKey,
) (*x509.Certificate, []byte) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// issue returns a certificate, for servers at 127.0.0.1 and example.com and for clients alike, and its key as PEM.
func (a *authority) issue(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	private := newKey(t)
	_, certificate = sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"example.com"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.certificate, &private.PublicKey, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// pool holds the authority alone.
func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// server is the configuration of a server with a certificate of a's.
func (a *authority) server(t *testing.T) *tls.Config {
	t.Helper()
	certificate, key := a.issue(t, "server")
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
}

// client trusts a and shows a certificate with this name, which a client authority has signed.
func (a *authority) client(t *testing.T, clients *authority, name string) TLSOptions {
	t.Helper()
	certificate, key := clients.issue(t, name)
	return TLSOptions{CABundle: a.bundle, Certificate: certificate, Key: secret.NewKey(string(key))}
}

func TestTLSOptionsAreChecked(t *testing.T) {
	a := newAuthority(t)
	certificate, key := a.issue(t, "client")
	_, otherKey := a.issue(t, "other")
	damaged := bytes.Replace(a.bundle, []byte("MII"), []byte("MIX"), 1)
	cases := map[string]struct {
		options TLSOptions
		want    string
	}{
		"a bundle that is no PEM": {
			TLSOptions{CABundle: []byte("hunter2")}, "the CA bundle holds no certificate in PEM form",
		},
		"a bundle of blanks": {
			TLSOptions{CABundle: []byte("\n\n")}, "the CA bundle holds no certificate in PEM form",
		},
		"a private key in the bundle": {
			TLSOptions{CABundle: append(bytes.Clone(a.bundle), key...)},
			"the CA bundle holds another PEM block than certificates, after 1 of them",
		},
		"a certificate in the bundle that is damaged": {
			TLSOptions{CABundle: append(bytes.Clone(a.bundle), damaged...)},
			"the CA bundle holds a certificate that cannot be read, after 1 that can",
		},
		"a bundle that is cut off": {
			TLSOptions{CABundle: append(bytes.Clone(a.bundle), a.bundle[:100]...)},
			"the CA bundle holds a PEM block that is cut off or damaged",
		},
		"a bundle that is too long": {
			TLSOptions{CABundle: append(bytes.Clone(a.bundle), make([]byte, MaxPEMBytes)...)},
			"the CA bundle is longer than 1048576 bytes",
		},
		"a certificate without its key": {
			TLSOptions{Certificate: certificate}, "there is a client certificate, but no client key",
		},
		"a key without its certificate": {
			TLSOptions{Key: secret.NewKey(string(key))}, "there is a client key, but no client certificate",
		},
		"the key of another certificate": {
			TLSOptions{Certificate: certificate, Key: secret.NewKey(string(otherKey))},
			"the client key cannot be read, or is not that of the client certificate",
		},
		"a key that is no PEM": {
			TLSOptions{Certificate: certificate, Key: secret.NewKey("hunter2")},
			"the client key cannot be read, or is not that of the client certificate",
		},
		"a PEM block named by a secret": {
			TLSOptions{Certificate: certificate, Key: secret.NewKey("-----BEGIN hunter2-----\n-----END hunter2-----\n")},
			"the client key cannot be read, or is not that of the client certificate",
		},
		"certificate and key the wrong way round": {
			TLSOptions{Certificate: key, Key: secret.NewKey(string(certificate))},
			"the client certificate holds another PEM block than certificates, after 0 of them",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := tc.options.Config(); err == nil || err.Error() != tc.want {
				t.Errorf("want %q, got %v", tc.want, err)
			}
		})
	}
}

func TestPrivateAuthoritiesAreTrustedBesideTheSystems(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	bundle := append([]byte("# the first\n"), a.bundle...)
	bundle = append(append(bundle, "# the second\n"...), b.bundle...)
	config, err := TLSOptions{CABundle: bundle}.Config()
	if err != nil {
		t.Fatal(err)
	}
	want := systemRoots()
	want.AddCert(a.certificate)
	want.AddCert(b.certificate)
	if !config.RootCAs.Equal(want) {
		t.Error("want the system's authorities and both of the bundle")
	}
}

func FuzzTLSOptions(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"), "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n")
	f.Add([]byte("-----BEGIN "), "")
	f.Fuzz(func(t *testing.T, text []byte, key string) {
		for _, o := range []TLSOptions{{CABundle: text}, {Certificate: text, Key: secret.NewKey(key)}} {
			config, err := o.Config()
			if (config == nil) == (err == nil) {
				t.Errorf("want either a configuration or an error, got %v and %v", config, err)
			}
		}
	})
}
