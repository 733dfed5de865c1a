package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// Files below the pki folder.
const (
	caCertFile     = "ca.crt"
	servingCert    = "apiserver.crt"
	servingKey     = "apiserver.key"
	serviceAccount = "service-account.key"
	tokenFile      = "tokens.csv"
)

// lifetime of the certificates of a cluster.
const lifetime = 365 * 24 * time.Hour

// credentials are what a client needs.
type credentials struct {
	caPEM []byte
	token string // of a member of system:masters
}

// newCredentials makes a certificate authority that signs one certificate and is
// then forgotten, a key for service account tokens, and an administrator token.
func newCredentials(l layout) (credentials, error) {
	caPEM, err := writeServingPair(l)
	if err != nil {
		return credentials{}, fmt.Errorf("creating serving certificate: %w", err)
	}
	accountKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return credentials{}, fmt.Errorf("creating service account key: %w", err)
	}
	if err := writeKey(l.pki(serviceAccount), accountKey); err != nil {
		return credentials{}, err
	}

	secret := make([]byte, 24)
	if _, err := rand.Read(secret); err != nil {
		return credentials{}, fmt.Errorf("creating token: %w", err)
	}
	token := hex.EncodeToString(secret)
	row := fmt.Sprintf("%s,admin,admin,system:masters\n", token)
	if err := os.WriteFile(l.pki(tokenFile), []byte(row), 0o600); err != nil {
		return credentials{}, fmt.Errorf("writing token: %w", err)
	}
	return credentials{caPEM: caPEM, token: token}, nil
}

func writeServingPair(l layout) (caPEM []byte, err error) {
	now := time.Now().Add(-time.Minute)
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "statsig-operator local control plane"},
		NotBefore:             now,
		NotAfter:              now.Add(lifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	caPEM, err = sign(ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, err
	}

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serving := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "kube-apiserver"},
		NotBefore:    now,
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost", "kubernetes.default.svc"},
		IPAddresses:  []net.IP{net.ParseIP(loopback)},
	}
	servingPEM, err := sign(serving, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, err
	}

	if err := writeKey(l.pki(servingKey), key); err != nil {
		return nil, err
	}
	if err := os.WriteFile(l.pki(servingCert), servingPEM, 0o600); err != nil {
		return nil, err
	}
	return caPEM, os.WriteFile(l.pki(caCertFile), caPEM, 0o600)
}

func sign(cert, parent *x509.Certificate, public *ecdsa.PublicKey, signer *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func writeKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding key: %w", err)
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return fmt.Errorf("writing key: %w", err)
	}
	return nil
}
