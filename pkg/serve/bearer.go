package serve

import (
	"net/http"
	"net/netip"
	"strings"
)

// Bearer returns the bearer token of a request; ok is false where there is none, or where there is more than one. A
// token is never empty and has no blanks. The password of basic authentication counts as well: a caller that can set no
// headers, such as Flagger, has it in the URL.
func Bearer(r *http.Request) (token string, ok bool) {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return "", false
	}
	scheme, token, found := strings.Cut(strings.TrimSpace(values[0]), " ")
	switch token = strings.TrimLeft(token, " "); {
	case strings.EqualFold(scheme, "Basic"):
		_, token, found = r.BasicAuth()
	case !strings.EqualFold(scheme, "Bearer"):
		return "", false
	}
	if !found || token == "" || strings.ContainsAny(token, " \t") {
		return "", false
	}
	return token, true
}

// Remote returns the address that a request came from without its port; empty where it has none. It is what the
// connection says: headers of proxies are not believed.
func Remote(r *http.Request) string {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return from.Addr().Unmap().String()
}

// RemoteKey returns what tells the origins of requests apart when they are counted: the address, or of an IPv6 address
// its first 64 bits, since whoever has one has all that begin so.
func RemoteKey(r *http.Request) string {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	address := from.Addr().Unmap().WithZone("")
	if address.Is6() {
		if prefix, err := address.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return address.String()
}
