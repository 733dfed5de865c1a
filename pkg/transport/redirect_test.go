package transport

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestRedirects(t *testing.T) {
	const first = "https://statsig.test/a"
	cases := map[string]struct {
		to      string
		already int
		wantErr bool
	}{
		"another path":                         {to: "https://statsig.test/b", already: 1},
		"the same host in capitals":            {to: "HTTPS://Statsig.Test/b", already: 1},
		"a third time":                         {to: "https://statsig.test/b", already: 3},
		"a fourth time":                        {to: "https://statsig.test/b", already: 4, wantErr: true},
		"another host":                         {to: "https://elsewhere.test/a", already: 1, wantErr: true},
		"another port":                         {to: "https://statsig.test:8443/a", already: 1, wantErr: true},
		"another scheme":                       {to: "http://statsig.test/a", already: 1, wantErr: true},
		"a host below":                         {to: "https://a.statsig.test/a", already: 1, wantErr: true},
		"back from where the first did not go": {to: "https://elsewhere.test/a", already: 2, wantErr: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			via := make([]*http.Request, tc.already)
			for i := range via {
				via[i] = httptest.NewRequest(http.MethodGet, first, http.NoBody)
			}
			err := CheckRedirect(httptest.NewRequest(http.MethodGet, tc.to, http.NoBody), via)
			if (err != nil) != tc.wantErr {
				t.Errorf("want an error %v, got %v", tc.wantErr, err)
			}
		})
	}
}

func TestARedirectToAnotherHostIsNotFollowed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer server.Close()
	c := &http.Client{Transport: newTransport(t, Options{}), CheckRedirect: CheckRedirect}
	resp, err := get(t, c, server.URL)
	if !errors.Is(err, ErrRedirect) {
		t.Errorf("want %v, got %v, %v", ErrRedirect, resp, err)
	}
}
