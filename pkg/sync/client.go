package specsync

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

const (
	sdkType      = "statsig-operator"
	maxRedirects = 3
	// maxRetryAfter keeps one odd header from silencing a project for good.
	maxRetryAfter = time.Hour

	handshakeTimeout = 10 * time.Second
	idleTimeout      = 90 * time.Second
)

// ClientOptions configure a Client. Only Key is required.
type ClientOptions struct {
	// Key is the SDK key.
	Key secret.Key
	// HTTPClient carries the requests; its redirect policy is replaced. Nil builds one that takes proxies from the
	// environment and asks for TLS 1.2 or newer. Clients with the same HTTPClient can share a Syncer.
	HTTPClient *http.Client
	// SDKVersion is sent as statsig-sdk-version; "" is "unknown".
	SDKVersion string
	// SessionID is sent as statsig-server-session-id and should be the same for the whole process; "" makes a random
	// one.
	SessionID string
	// ServiceName is sent as x-request-service; "" is "unknown".
	ServiceName string
}

// Client sends requests to Statsig, or to what speaks its protocol, with one SDK key. It is safe for concurrent use.
type Client struct {
	http      *http.Client
	ownsHTTP  bool
	transport string
	header    http.Header
	// secrets is a function because fmt prints whatever else a struct holds, however deep and unexported.
	secrets func() *secrets
}

// secrets are the key and what removes it from texts.
type secrets struct {
	key      secret.Key
	scrubber secret.Scrubber
}

var errRedirect = errors.New("redirect to another host refused")

// NewClient validates o.
func NewClient(o ClientOptions) (*Client, error) {
	if o.Key.IsZero() {
		return nil, errors.New("the SDK key is empty")
	}
	for _, r := range o.Key.Reveal() {
		if r <= ' ' || r > '~' {
			return nil, errors.New("the SDK key holds a character that no SDK key has: a blank, a line break, or one outside ASCII")
		}
	}
	held := &secrets{key: o.Key}
	held.scrubber.Add(o.Key)
	c := &Client{transport: "default", secrets: func() *secrets { return held }}
	if o.HTTPClient == nil {
		c.ownsHTTP = true
		c.http = &http.Client{Transport: newTransport()}
	} else {
		c.transport = fmt.Sprintf("%p", o.HTTPClient)
		shared := *o.HTTPClient
		c.http = &shared
	}
	c.http.CheckRedirect = checkRedirect
	c.header = http.Header{}
	c.header.Set("Statsig-Sdk-Type", sdkType)
	c.header.Set("Statsig-Sdk-Version", orElse(o.SDKVersion, "unknown"))
	c.header.Set("Statsig-Server-Session-Id", orElse(o.SessionID, uuid.NewString()))
	c.header.Set("X-Request-Service", orElse(o.ServiceName, "unknown"))
	c.header.Set("User-Agent", sdkType+"/"+orElse(o.SDKVersion, "unknown"))
	return c, nil
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: handshakeTimeout,
		IdleConnTimeout:     idleTimeout,
		ForceAttemptHTTP2:   true,
	}
}

// checkRedirect keeps the key, which travels in the path and in a header, on the host that it was meant for.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if !sameOrigin(req.URL, via[0].URL) {
		return errRedirect
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return nil
}

func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Host, b.Host)
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func (c *Client) key() string { return c.secrets().key.Reveal() }

func (c *Client) scrub(text string) string { return c.secrets().scrubber.Scrub(text) }

func (c *Client) scrubError(err error) error { return c.secrets().scrubber.Error(err) }

// identity tells which clients answer alike.
func (c *Client) identity() string { return c.secrets().key.Fingerprint() + " " + c.transport }

// closeIdle gives up the connections of a client that nobody else uses.
func (c *Client) closeIdle() {
	if c.ownsHTTP {
		c.http.CloseIdleConnections()
	}
}

// request is what differs between the calls.
type request struct {
	method string
	url    *url.URL
	header map[string]string
	// withKey says whether the host may see the SDK key.
	withKey bool
	// ranged accepts the answers to a range, 206 and 416, beside 200.
	ranged bool
}

func (r *request) accepts(status int) bool {
	switch status {
	case http.StatusOK:
		return true
	case http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable:
		return r.ranged
	default:
		return false
	}
}

// do sends r and returns the answer if its status is as wanted. Its errors are clean.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), http.NoBody)
	if err != nil {
		return nil, c.clean(r.url, err)
	}
	maps.Copy(req.Header, c.header)
	req.Header.Set("Statsig-Client-Time", strconv.FormatInt(now().UnixMilli(), 10))
	if r.withKey {
		req.Header.Set("Statsig-Api-Key", c.key())
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.clean(r.url, err)
	}
	if r.accepts(resp.StatusCode) {
		return resp, nil
	}
	_ = resp.Body.Close()
	status := &StatusError{
		Code: resp.StatusCode, RetryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), now()), keyless: !r.withKey,
	}
	return nil, fmt.Errorf("asking %s: %w", origin(r.url), status)
}

// fetch returns the decompressed body, at most limit bytes of it.
func (c *Client) fetch(ctx context.Context, r request, limit int64) ([]byte, error) {
	resp, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := readBody(resp, limit)
	switch {
	case err == nil:
		return body, nil
	case errors.Is(err, ErrTooLarge):
		return nil, fmt.Errorf("asking %s: %w: more than %d bytes", origin(r.url), ErrTooLarge, limit)
	case errors.Is(err, ErrMalformed):
		return nil, fmt.Errorf("asking %s: %w", origin(r.url), err)
	default:
		return nil, c.clean(r.url, err)
	}
}

// parseRetryAfter reads both forms of the header, seconds and HTTP dates; 0 for neither.
func parseRetryAfter(value string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(seconds, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// parseBase reads an absolute http or https URL. The error leaves the text out: it may hold a password.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the URL is not an absolute http or https URL")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the URL has a query or a fragment, which it must not have")
	}
	return u, nil
}

// withKeyFile appends `/<key>.json`.
func (c *Client) withKeyFile(base *url.URL) *url.URL {
	u := *base
	u.RawPath = strings.TrimRight(base.EscapedPath(), "/") + "/" + url.PathEscape(c.key()) + ".json"
	u.Path = strings.TrimRight(base.Path, "/") + "/" + c.key() + ".json"
	return &u
}

// now is where wall time enters the package; tests run in a synctest bubble.
func now() time.Time {
	return time.Now() //nolint:forbidigo // the loops are the edge at which time comes in
}
