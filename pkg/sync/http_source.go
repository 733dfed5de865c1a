package specsync

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
)

// Statsig's own addresses for [NewHTTPSource]. The API's answers have the v1 form, which eval.Decode reads too.
const (
	CDNBaseURL = "https://api.statsigcdn.com/v2"
	APIBaseURL = "https://statsigapi.net/v1"
)

// HTTPSource polls `<base URL>/download_config_specs/<key>.json`.
type HTTPSource struct {
	client *Client
	name   string
	base   *url.URL
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

// Name implements [Source].
func (s *HTTPSource) Name() string { return s.name }

// Identity implements [Source].
func (s *HTTPSource) Identity() string {
	return "http:" + s.name + " " + s.base.String() + " " + s.client.identity()
}

// Fetch implements [Source]. Errors match [ErrUnauthorized], [ErrTooLarge], [ErrMalformed] or are a [StatusError]
// where that applies.
func (s *HTTPSource) Fetch(ctx context.Context, have Have) (Answer, error) {
	target := s.client.withKeyFile(s.base)
	target.RawQuery = query(have)
	body, err := s.client.fetch(ctx, request{
		method: http.MethodGet, url: target, withKey: true, header: map[string]string{"Accept-Encoding": acceptEncoding},
	}, MaxDocumentBytes)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Document: body, Origin: OriginNetwork}, nil
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
