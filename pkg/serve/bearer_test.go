package serve

import (
	"net/http"
	"testing"
)

func TestBearer(t *testing.T) {
	for name, tc := range map[string]struct {
		headers []string
		want    string
	}{
		"A token is found":                  {headers: []string{"Bearer abc.def"}, want: "abc.def"},
		"The scheme is in any case":         {headers: []string{"bEARER abc"}, want: "abc"},
		"More blanks are none of the token": {headers: []string{"  Bearer   abc  "}, want: "abc"},
		"No header has none":                {},
		"An empty one has none":             {headers: []string{"Bearer "}},
		"A scheme alone has none":           {headers: []string{"Bearer"}},
		"Another scheme has none":           {headers: []string{"Basic abc"}},
		"Two words are none":                {headers: []string{"Bearer abc def"}},
		"Two headers are none":              {headers: []string{"Bearer abc", "Bearer def"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{Header: http.Header{}}
			for _, value := range tc.headers {
				r.Header.Add("Authorization", value)
			}
			if got, ok := Bearer(r); got != tc.want || ok != (tc.want != "") {
				t.Errorf("got %q, %v, want %q", got, ok, tc.want)
			}
		})
	}
}

func TestRemote(t *testing.T) {
	for name, tc := range map[string]struct {
		address, want, wantKey string
	}{
		"An IPv4 address is itself":                    {address: "10.1.2.3:4567", want: "10.1.2.3", wantKey: "10.1.2.3"},
		"An IPv4 address in IPv6 is that":              {address: "[::ffff:10.1.2.3]:4567", want: "10.1.2.3", wantKey: "10.1.2.3"},
		"An IPv6 address counts with its network":      {address: "[2001:db8:1:2:3:4:5:6]:80", want: "2001:db8:1:2:3:4:5:6", wantKey: "2001:db8:1:2::/64"},
		"A zone is left out where addresses are count": {address: "[fe80::1%eth0]:80", want: "fe80::1%eth0", wantKey: "fe80::/64"},
		"What is no address is nothing":                {address: "@"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tc.address, Header: http.Header{"X-Forwarded-For": {"192.0.2.1"}}}
			if got, key := Remote(r), RemoteKey(r); got != tc.want || key != tc.wantKey {
				t.Errorf("got %q and %q, want %q and %q", got, key, tc.want, tc.wantKey)
			}
		})
	}
}
