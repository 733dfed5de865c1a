package specsync

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/sync/statsigpb"
)

// Statsig's own addresses for [NewHTTPSource]. The API's answers have the v1 form, which eval.Decode reads too.
const (
	CDNBaseURL = "https://api.statsigcdn.com/v2"
	APIBaseURL = "https://statsigapi.net/v1"
)

// maxETagBytes bounds what is sent back to a server with every request.
const maxETagBytes = 256

// HTTPSource polls `<base URL>/download_config_specs/<key>.json`.
type HTTPSource struct {
	client *Client
	name   string
	base   *url.URL
	// protobuf remembers what deltas build on; nil where JSON is asked for.
	protobuf *statsigpb.Exchange
}

// NewHTTPSource returns a source named name below baseURL, which is an absolute http or https URL; a trailing slash
// makes no difference. Its answers are limited to [MaxDocumentBytes].
func NewHTTPSource(c *Client, name, baseURL string) (*HTTPSource, error) {
	if c == nil {
		return nil, errors.New("an HTTP source needs a client")
	}
	base, err := parseBase(baseURL)
	if err != nil {
		return nil, err
	}
	return &HTTPSource{client: c, name: name, base: base.JoinPath("download_config_specs")}, nil
}

// WithProtobuf returns a source that asks for Statsig's protobuf form, and for what differs from the document it got
// last. A server that has only JSON answers that.
func (s *HTTPSource) WithProtobuf() *HTTPSource {
	with := *s
	with.protobuf = statsigpb.NewExchange(true)
	return &with
}

// Name implements [Source].
func (s *HTTPSource) Name() string { return s.name }

// Identity implements [Source].
func (s *HTTPSource) Identity() string {
	form := "json"
	if s.protobuf != nil {
		form = "protobuf"
	}
	return "http:" + s.name + " " + form + " " + s.base.String() + " " + s.client.identity()
}

// Fetch implements [Source]. A server that names the states of its document with ETags, as file servers do, need not
// send one twice. Errors match [ErrUnauthorized], [ErrTooLarge], [ErrMalformed] or are a [StatusError] where that
// applies.
func (s *HTTPSource) Fetch(ctx context.Context, have Have) (Answer, error) {
	r := s.request(have)
	resp, err := s.client.do(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusNotModified {
		return Answer{NotModified: true, Version: have.Version, Origin: OriginNetwork}, nil
	}
	document, err := s.read(r, resp)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Document: document, Version: version(resp.Header), Origin: OriginNetwork}, nil
}

func (s *HTTPSource) request(have Have) request {
	r := request{
		method: http.MethodGet, url: s.client.withKeyFile(s.base), withKey: true,
		header: map[string]string{"Accept-Encoding": acceptEncoding},
	}
	if s.protobuf == nil {
		r.url.RawQuery = query(have)
	} else {
		r.url.RawQuery = s.protobuf.Query(have.Time, have.Checksum).Encode()
		r.header["Accept-Encoding"] = statsigpb.ContentEncoding + ", " + acceptEncoding
		r.header[statsigpb.SupportsHeader] = "true"
	}
	if have.Version != "" {
		r.conditional, r.header["If-None-Match"] = true, have.Version
	}
	return r
}

// read returns the document as JSON, whatever form it came in.
func (s *HTTPSource) read(r request, resp *http.Response) ([]byte, error) {
	if s.protobuf == nil {
		return s.client.read(r, resp, MaxDocumentBytes)
	}
	if !statsigpb.Is(resp.Header) {
		document, err := s.client.read(r, resp, MaxDocumentBytes)
		if err == nil {
			s.protobuf.Plain()
		}
		return document, err
	}
	document, err := s.protobuf.Read(resp.Body, MaxDocumentBytes)
	if err != nil {
		return nil, s.client.bodyError(r, protobufError(err), MaxDocumentBytes)
	}
	readEnd(resp.Body)
	return document.JSON, nil
}

// protobufError turns an error about content into one of this package's.
func protobufError(err error) error {
	switch {
	case errors.Is(err, statsigpb.ErrTooLarge):
		return ErrTooLarge
	case errors.Is(err, ErrMalformed):
		return malformedError(err.Error())
	default:
		return err
	}
}

// version is the answer's ETag, unless it is too odd to be sent back with each request.
func version(h http.Header) string {
	if etag := h.Get("Etag"); len(etag) <= maxETagBytes {
		return etag
	}
	return ""
}

func query(have Have) string {
	var q string
	if have.Time > 0 {
		q = "sinceTime=" + strconv.FormatInt(have.Time, 10)
	}
	if have.Checksum != "" {
		if q != "" {
			q += "&"
		}
		q += "checksum=" + url.QueryEscape(have.Checksum)
	}
	return q
}

// WithStatsigFallback returns sources with Statsig's CDN behind them, unless Statsig is among them already. It is what
// the SDKs do when they are told to fall back to Statsig's API: the CDN is asked whenever none of the others serves.
// (Where they ask it after every fifth failure, it is asked here at once; the back-off after failures bounds both.)
func WithStatsigFallback(c *Client, sources []Source) ([]Source, error) {
	for _, source := range sources {
		if s, ok := source.(*HTTPSource); ok && s.isStatsig() {
			return sources, nil
		}
	}
	cdn, err := NewHTTPSource(c, "CDN", CDNBaseURL)
	if err != nil {
		return nil, err
	}
	return append(slices.Clip(sources), cdn), nil
}

// isStatsig reports whether s asks Statsig itself.
func (s *HTTPSource) isStatsig() bool {
	for _, own := range []string{CDNBaseURL, APIBaseURL} {
		if u, err := url.Parse(own); err == nil && strings.EqualFold(u.Host, s.base.Host) {
			return true
		}
	}
	return false
}
