package transport

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const maxRedirects = 3

// ErrRedirect says that a server pointed to another host, which is not followed.
var ErrRedirect = errors.New("redirect to another host refused")

// CheckRedirect is the policy for [http.Client.CheckRedirect]: at most three redirects, and none to another host, port
// or scheme. SDK keys travel in the path and in a header, and must stay with the host that they were meant for.
func CheckRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > 0 && !SameOrigin(req.URL, via[0].URL) {
		return ErrRedirect
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return nil
}

// SameOrigin reports whether both URLs have the same scheme, host and port, as they are written.
func SameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Host, b.Host)
}
