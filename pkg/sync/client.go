package specsync

import (
	"context"
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
	"github.com/statsig-operator/statsig-operator/pkg/transport"
)

const (
	sdkType = "statsig-operator"
	// maxRetryAfter keeps one odd header from silencing a project for good.
	maxRetryAfter = time.Hour
)

// ClientOptions configure a Client. Only Key is required.
type ClientOptions struct {
	// Key is the SDK key.
	Key secret.Key
	// Transport carries the requests, with the proxy and the certificates of the project, and is commonly a pointer.
	// Nil makes one with the zero [transport.Options]. Clients with the same Transport can share a Syncer, and so can
	// those without one.
	Transport http.RoundTripper
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
	if o.Transport == nil {
		own, err := transport.New(transport.Options{})
		if err != nil {
			return nil, err
		}
		c.ownsHTTP, o.Transport = true, own
	} else {
		// Not the configuration: that of a shared transport changes under its owner's hands.
		c.transport = fmt.Sprintf("%p", o.Transport)
	}
	c.http = &http.Client{Transport: o.Transport, CheckRedirect: transport.CheckRedirect}
	c.header = http.Header{}
	c.header.Set("Accept", "*/*")
	c.header.Set("Statsig-Sdk-Type", sdkType)
	c.header.Set("Statsig-Sdk-Version", orElse(o.SDKVersion, "unknown"))
	c.header.Set("Statsig-Server-Session-Id", orElse(o.SessionID, uuid.NewString()))
	c.header.Set("X-Request-Service", orElse(o.ServiceName, "unknown"))
	c.header.Set("User-Agent", sdkType+"/"+orElse(o.SDKVersion, "unknown"))
	return c, nil
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
	// ranged accepts the answers to a range, 206 and 416, beside 200; conditional accepts 304.
	ranged, conditional bool
}

func (r *request) accepts(status int) bool {
	switch status {
	case http.StatusOK:
		return true
	case http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable:
		return r.ranged
	case http.StatusNotModified:
		return r.conditional
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
	req.Header = make(http.Header, len(c.header)+len(r.header)+2)
	maps.Copy(req.Header, c.header)
	req.Header["Statsig-Client-Time"] = []string{strconv.FormatInt(now().UnixMilli(), 10)}
	if r.withKey {
		req.Header["Statsig-Api-Key"] = []string{c.key()}
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
	return c.read(r, resp, limit)
}

// read returns the decompressed body of the answer to r, at most limit bytes of it. Its errors are clean.
func (c *Client) read(r request, resp *http.Response, limit int64) ([]byte, error) {
	body, err := readBody(resp, limit)
	if err != nil {
		return nil, c.bodyError(r, err, limit)
	}
	return body, nil
}

// bodyError cleans an error of reading the body of the answer to r.
func (c *Client) bodyError(r request, err error, limit int64) error {
	switch {
	case errors.Is(err, ErrTooLarge):
		return fmt.Errorf("asking %s: %w: more than %d bytes", origin(r.url), ErrTooLarge, limit)
	case errors.Is(err, ErrMalformed):
		return fmt.Errorf("asking %s: %w", origin(r.url), malformedError(c.scrub(err.Error())))
	default:
		return c.clean(r.url, err)
	}
}

// parseRetryAfter reads both forms of the header, seconds and HTTP dates; 0 for neither and for the past.
func parseRetryAfter(value string, now time.Time) time.Duration {
	var wait time.Duration
	seconds, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err == nil:
		wait = time.Duration(min(max(seconds, 0), int64(maxRetryAfter/time.Second))) * time.Second
	case errors.Is(err, strconv.ErrRange) && seconds > 0:
		wait = maxRetryAfter
	default:
		if at, err := http.ParseTime(value); err == nil {
			wait = at.Sub(now)
		}
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
