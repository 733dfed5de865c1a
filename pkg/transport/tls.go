package transport

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// MaxPEMBytes bounds each of the texts of [TLSOptions]; a Secret or ConfigMap holds no more.
const MaxPEMBytes = 1 << 20

// TLSOptions say whom to trust and what to show. The zero value trusts the system's certificate authorities and shows
// nothing.
type TLSOptions struct {
	// CABundle holds certificate authorities as PEM, which are trusted beside the system's, not in their place: one
	// transport reaches private servers as well as Statsig's own.
	CABundle []byte
	// Certificate and Key are the client certificate, with its chain, and its private key, as PEM; both or neither.
	Certificate []byte
	Key         secret.Key
}

// Config returns what o means, TLS 1.2 at least. Each call makes another one, which the caller may change. Its errors
// quote nothing of the texts.
func (o TLSOptions) Config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(o.CABundle) > 0 {
		authorities, err := parseCertificates(o.CABundle)
		if err != nil {
			return nil, fmt.Errorf("the CA bundle %w", err)
		}
		config.RootCAs = systemRoots()
		for _, authority := range authorities {
			config.RootCAs.AddCert(authority)
		}
	}
	switch {
	case len(o.Certificate) == 0 && o.Key.IsZero():
		return config, nil
	case len(o.Certificate) == 0:
		return nil, errors.New("there is a client key, but no client certificate")
	case o.Key.IsZero():
		return nil, errors.New("there is a client certificate, but no client key")
	}
	if _, err := parseCertificates(o.Certificate); err != nil {
		return nil, fmt.Errorf("the client certificate %w", err)
	}
	if len(o.Key.Reveal()) > MaxPEMBytes {
		return nil, fmt.Errorf("the client key is longer than %d bytes", MaxPEMBytes)
	}
	pair, err := tls.X509KeyPair(o.Certificate, []byte(o.Key.Reveal()))
	if err != nil {
		// The cause may name what it found in the key's place.
		return nil, errors.New("the client key cannot be read, or is not that of the client certificate")
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// systemRoots is empty where the system has none, as in a container image without certificates: then only the private
// authorities count.
func systemRoots() *x509.CertPool {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return x509.NewCertPool()
	}
	return roots
}

// parseCertificates returns all certificates of a PEM text, or an error in the form "is …". Text between the blocks is
// passed over: bundles name their authorities there.
func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	if len(text) > MaxPEMBytes {
		return nil, fmt.Errorf("is longer than %d bytes", MaxPEMBytes)
	}
	var certificates []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("holds another PEM block than certificates, after %d of them", len(certificates))
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("holds a certificate that cannot be read, after %d that can", len(certificates))
		}
		certificates = append(certificates, certificate)
		text = rest
	}
	// A block cut off in the middle is no block to the decoder.
	if bytes.Contains(text, []byte("-----BEGIN")) {
		return nil, errors.New("holds a PEM block that is cut off or damaged")
	}
	if len(certificates) == 0 {
		return nil, errors.New("holds no certificate in PEM form")
	}
	return certificates, nil
}
