package serve_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/serve"
)

func TestATokenInTheURLCounts(t *testing.T) {
	tests := map[string]struct {
		user  string
		token string
		ok    bool
	}{
		"as the password, whatever the name": {user: "gate:0123456789abcdef", token: "0123456789abcdef", ok: true},
		"as the password without a name":     {user: ":0123456789abcdef", token: "0123456789abcdef", ok: true},
		"not as the name":                    {user: "0123456789abcdef"},
		"not an empty one":                   {user: "gate:"},
		"not one with blanks":                {user: "gate:0123%20abc"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var token string
			var ok bool
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { token, ok = serve.Bearer(r) }))
			defer server.Close()
			url := strings.Replace(server.URL, "http://", "http://"+tc.user+"@", 1)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := server.Client().Do(request)
			if err != nil {
				t.Fatal(err)
			}
			if err := response.Body.Close(); err != nil {
				t.Error(err)
			}
			if token != tc.token || ok != tc.ok {
				t.Errorf("token %q, %v; want %q, %v", token, ok, tc.token, tc.ok)
			}
		})
	}
}
