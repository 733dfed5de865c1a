package specsync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// ForwardProxySource polls a Statsig forward proxy over HTTP: `<address>/v2/download_config_specs/<key>.json`.
type ForwardProxySource struct{ http *HTTPSource }

// NewForwardProxySource returns a source for the proxy at address: an http or https URL, with a path where the proxy
// stands behind one, or host:port, which means http. Statsig's own image listens on port 8000 for http and on 8443 for
// https.
func NewForwardProxySource(c *Client, address string) (*ForwardProxySource, error) {
	base, err := parseForwardProxy(address)
	if err != nil {
		return nil, err
	}
	source, err := NewHTTPSource(c, "ForwardProxy", base.JoinPath("v2").String())
	if err != nil {
		return nil, err
	}
	return &ForwardProxySource{http: source}, nil
}

// ForwardProxyIDListsURL is what [IDListOptions] need as URL to take ID lists from the forward proxy at address. The
// proxy has the manifest only; the lists come from where that says, Statsig's CDN.
func ForwardProxyIDListsURL(address string) (string, error) {
	base, err := parseForwardProxy(address)
	if err != nil {
		return "", err
	}
	return base.JoinPath("v1", "get_id_lists").String(), nil
}

// parseForwardProxy quotes nothing of what it refuses: it may be a password or a key.
func parseForwardProxy(address string) (*url.URL, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	base, err := parseBase(address)
	if err != nil {
		return nil, fmt.Errorf("the address of the forward proxy: %w", err)
	}
	for part := range strings.SplitSeq(base.Path, "/") {
		switch part {
		case "v1", "v2", "download_config_specs", "get_id_lists":
			return nil, errors.New("the address of the forward proxy ends before /v1 or /v2")
		}
	}
	return base, nil
}

// WithProtobuf is [HTTPSource.WithProtobuf] for a forward proxy.
func (s *ForwardProxySource) WithProtobuf() *ForwardProxySource {
	return &ForwardProxySource{http: s.http.WithProtobuf()}
}

// Name implements [Source].
func (s *ForwardProxySource) Name() string { return s.http.Name() }

// Identity implements [Source].
func (s *ForwardProxySource) Identity() string { return s.http.Identity() }

// Fetch implements [Source], with the errors of [HTTPSource.Fetch] but for one: no status of a forward proxy matches
// [ErrUnauthorized]. It answers 401 also as long as it could not reach Statsig, so that says nothing about the key.
func (s *ForwardProxySource) Fetch(ctx context.Context, have Have) (Answer, error) {
	answer, err := s.http.Fetch(ctx, have)
	if status, ok := errors.AsType[*StatusError](err); ok && errors.Is(err, ErrUnauthorized) {
		told := *status
		told.keyless = true
		err = fmt.Errorf("asking %s: %w", origin(s.http.base), &told)
		if told.Code == http.StatusUnauthorized {
			err = fmt.Errorf("%w: the forward proxy has no config specs for this SDK key, "+
				"because Statsig refused the key or could not be reached", err)
		}
	}
	return answer, err
}
