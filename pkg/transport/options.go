package transport

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/http/httpproxy"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// Defaults of [Options].
const (
	DefaultDialTimeout           = 10 * time.Second
	DefaultTLSHandshakeTimeout   = 10 * time.Second
	DefaultResponseHeaderTimeout = 60 * time.Second
)

// Options configure a [Transport]. The zero value takes proxies from the environment and trusts the system's
// certificate authorities.
type Options struct {
	// ProxyURL is the proxy for all requests, http or https, without credentials and path. "" takes HTTPS_PROXY,
	// HTTP_PROXY and NO_PROXY from the environment. Loopback addresses and localhost are reached without a proxy in
	// either case.
	ProxyURL string
	// ProxyUsername and ProxyPassword are shown to the proxy at ProxyURL, which must be set.
	ProxyUsername string
	ProxyPassword secret.Key
	// NoProxy lists what is reached without ProxyURL, which must be set: hosts (with all below them), domains with a
	// leading dot (only those below them), IP addresses, CIDR blocks, each but the last with a port where only that
	// port is meant, or "*" for everything.
	NoProxy []string

	// TLS says whom to trust and what to show, to servers as well as to an https proxy.
	TLS TLSOptions

	// DialTimeout bounds the setting up of a TCP connection; 0 is DefaultDialTimeout.
	DialTimeout time.Duration
	// TLSHandshakeTimeout bounds the TLS handshake; 0 is DefaultTLSHandshakeTimeout.
	TLSHandshakeTimeout time.Duration
	// ResponseHeaderTimeout bounds the wait from the end of a request to the header of its response; 0 is
	// DefaultResponseHeaderTimeout. The body has the deadline of the request's context.
	ResponseHeaderTimeout time.Duration
}

// withDefaults validates o, but for its TLS part, and fills in what it leaves open.
func (o Options) withDefaults() (Options, error) {
	for _, d := range []struct {
		name     string
		value    *time.Duration
		fallback time.Duration
	}{
		{"dial", &o.DialTimeout, DefaultDialTimeout},
		{"TLS handshake", &o.TLSHandshakeTimeout, DefaultTLSHandshakeTimeout},
		{"response header", &o.ResponseHeaderTimeout, DefaultResponseHeaderTimeout},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
		if *d.value < 0 {
			return o, fmt.Errorf("the %s timeout is negative", d.name)
		}
	}
	return o, o.checkProxy()
}

// checkProxy quotes nothing of what it finds wrong: it may be a password in the wrong place.
func (o Options) checkProxy() error {
	if o.ProxyURL == "" {
		switch {
		case o.ProxyUsername != "" || !o.ProxyPassword.IsZero():
			return errors.New("there are credentials for a proxy, but no proxy URL")
		case len(o.NoProxy) > 0:
			return errors.New("there are exceptions from the proxy, but no proxy URL")
		}
		return nil
	}
	if err := checkProxyURL(o.ProxyURL); err != nil {
		return err
	}
	if strings.ContainsFunc(o.ProxyUsername, unicode.IsControl) || strings.Contains(o.ProxyUsername, ":") {
		return errors.New("the proxy user name holds a colon or a control character")
	}
	if strings.ContainsFunc(o.ProxyPassword.Reveal(), unicode.IsControl) {
		return errors.New("the proxy password holds a control character, perhaps a line break at its end")
	}
	for i, entry := range o.NoProxy {
		if !isException(entry) {
			return fmt.Errorf("exception %d from the proxy is no host, domain, IP address or CIDR block", i+1)
		}
	}
	return nil
}

func checkProxyURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("the proxy URL is not an absolute http or https URL")
	case u.User != nil:
		return errors.New("the proxy URL holds credentials, which belong in fields of their own")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return errors.New("the proxy URL has a path, a query or a fragment, which it must not have")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return errors.New("the port of the proxy URL is not between 1 and 65535")
		}
	}
	return nil
}

// isException reports whether an entry can match anything. Entries that cannot would otherwise be ignored in silence.
func isException(entry string) bool {
	if entry == "*" {
		return true
	}
	if _, err := netip.ParsePrefix(entry); err == nil {
		return true
	}
	return entry != "" && !strings.ContainsFunc(entry, unicode.IsSpace) && !strings.ContainsAny(entry, ",/@?#%\"'\\")
}

// proxies returns the proxies that o means, each URL with its credentials.
func (o Options) proxies() *httpproxy.Config {
	if o.ProxyURL == "" {
		return httpproxy.FromEnvironment()
	}
	proxy := o.ProxyURL
	if u, err := url.Parse(proxy); err == nil && (o.ProxyUsername != "" || !o.ProxyPassword.IsZero()) {
		u.User = url.UserPassword(o.ProxyUsername, o.ProxyPassword.Reveal())
		proxy = u.String()
	}
	return &httpproxy.Config{HTTPProxy: proxy, HTTPSProxy: proxy, NoProxy: strings.Join(o.NoProxy, ",")}
}

// identity is equal for options that reach the same servers in the same way. It is a hash, because it covers
// passwords and private keys.
func (o Options) identity(proxies *httpproxy.Config) string {
	h := sha256.New()
	for _, field := range []string{
		proxies.HTTPProxy, proxies.HTTPSProxy, proxies.NoProxy, strconv.FormatBool(proxies.CGI),
		string(o.TLS.CABundle), string(o.TLS.Certificate), o.TLS.Key.Reveal(),
		o.DialTimeout.String(), o.TLSHandshakeTimeout.String(), o.ResponseHeaderTimeout.String(),
	} {
		_, _ = io.WriteString(h, strconv.Itoa(len(field))+":"+field)
	}
	return hex.EncodeToString(h.Sum(nil))
}
