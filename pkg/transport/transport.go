package transport

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

const (
	idleTimeout    = 90 * time.Second
	keepAlive      = 30 * time.Second
	maxHeaderBytes = 1 << 20

	// An HTTP/2 connection that died in silence would swallow one request after another until TCP notices.
	pingAfter   = 15 * time.Second
	pingTimeout = 5 * time.Second
)

// ErrProxy says that a proxy refused to make a connection. The error that wraps it has the status.
var ErrProxy = errors.New("the proxy refused the connection")

// Transport is an [http.RoundTripper] whose configuration can be replaced. It offers HTTP/2.
type Transport struct {
	current atomic.Pointer[configured]
	// updating keeps two updates from each closing the connections of a third.
	updating sync.Mutex
}

// configured is a transport under one configuration. It does not change.
type configured struct {
	http     *http.Transport
	identity string
	scrubber *secret.Scrubber
}

// New validates o.
func New(o Options) (*Transport, error) {
	c, err := configure(o)
	if err != nil {
		return nil, err
	}
	t := &Transport{}
	t.current.Store(c)
	return t, nil
}

// Update validates o and uses it for all requests that begin from now on; requests under way finish as they began. The
// idle connections of the former configuration are closed, and those in use when their request is done, at the latest
// after being idle for 90 seconds. It reports whether anything changed: equal options leave all connections alone, and
// an error leaves everything as it was.
func (t *Transport) Update(o Options) (changed bool, err error) {
	c, err := configure(o)
	if err != nil {
		return false, err
	}
	t.updating.Lock()
	defer t.updating.Unlock()
	was := t.current.Load()
	if was.identity == c.identity {
		return false, nil
	}
	t.current.Store(c)
	was.http.CloseIdleConnections()
	return true, nil
}

// RoundTrip implements [http.RoundTripper]. Its errors hold no credentials of a proxy.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	c := t.current.Load()
	resp, err := c.http.RoundTrip(req)
	if err != nil && c.scrubber != nil {
		err = c.scrubber.Error(err)
	}
	return resp, err
}

// CloseIdleConnections closes the connections that no request uses. The Transport stays usable.
func (t *Transport) CloseIdleConnections() { t.current.Load().http.CloseIdleConnections() }

// Identity is equal for transports that are configured alike at this moment. It is a hash, and is still not meant to
// be shown: it covers passwords.
func (t *Transport) Identity() string { return t.current.Load().identity }

func configure(o Options) (*configured, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("transport options: %w", err)
	}
	tlsConfig, err := o.TLS.Config()
	if err != nil {
		return nil, fmt.Errorf("transport options: %w", err)
	}
	proxies := o.proxies()
	proxyOf := proxies.ProxyFunc()
	return &configured{
		identity: o.identity(proxies),
		scrubber: scrubberOf(proxies),
		http: &http.Transport{
			Proxy:                  func(req *http.Request) (*url.URL, error) { return proxyOf(req.URL) },
			OnProxyConnectResponse: checkConnect,
			DialContext:            (&net.Dialer{Timeout: o.DialTimeout, KeepAlive: keepAlive}).DialContext,
			TLSClientConfig:        tlsConfig,
			TLSHandshakeTimeout:    o.TLSHandshakeTimeout,
			ResponseHeaderTimeout:  o.ResponseHeaderTimeout,
			ExpectContinueTimeout:  time.Second,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			ForceAttemptHTTP2:      true,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		},
	}, nil
}

// checkConnect gives the refusals of a proxy words of our own: its own may repeat what it was sent.
func checkConnect(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	status := strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
	return fmt.Errorf("%w: status %s", ErrProxy, status)
}

// scrubberOf knows the credentials of the proxies in the forms in which a proxy could repeat them; it is nil when
// there are none.
func scrubberOf(proxies *httpproxy.Config) *secret.Scrubber {
	var scrubber *secret.Scrubber
	for _, proxy := range []string{proxies.HTTPProxy, proxies.HTTPSProxy} {
		u := parseProxy(proxy)
		if u == nil || u.User == nil {
			continue
		}
		if scrubber == nil {
			scrubber = &secret.Scrubber{}
		}
		password, _ := u.User.Password()
		pair := u.User.Username() + ":" + password
		for _, text := range []string{password, pair, base64.StdEncoding.EncodeToString([]byte(pair))} {
			scrubber.Add(secret.NewKey(text))
		}
	}
	return scrubber
}

// parseProxy reads the URL of a proxy as the environment may hold it, without a scheme; nil when it is none.
func parseProxy(text string) *url.URL {
	for _, candidate := range []string{text, "http://" + text} {
		if u, err := url.Parse(candidate); err == nil && u.Host != "" {
			return u
		}
	}
	return nil
}
