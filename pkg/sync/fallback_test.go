package specsync

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheFallbackComesLast(t *testing.T) {
	c := (&stub{}).client(t, testKey)
	source := func(name, base string) Source {
		s, err := NewHTTPSource(c, name, base)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	cases := map[string]struct {
		sources []Source
		want    []string
	}{
		"behind a custom one":            {[]Source{source("HTTP", "http://specs.test")}, []string{"HTTP", "CDN"}},
		"behind a file":                  {[]Source{&FileSource{path: "x"}}, []string{"File", "CDN"}},
		"not where the CDN is asked":     {[]Source{source("CDN", CDNBaseURL), source("HTTP", "http://specs.test")}, []string{"CDN", "HTTP"}},
		"not where the API is asked":     {[]Source{source("HTTP", "http://specs.test"), source("API", APIBaseURL)}, []string{"HTTP", "API"}},
		"alone where nothing else comes": {nil, []string{"CDN"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := WithStatsigFallback(c, tc.sources)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range got {
				names = append(names, s.Name())
			}
			if diff := cmp.Diff(tc.want, names); diff != "" {
				t.Errorf("sources (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := WithStatsigFallback(nil, []Source{&FileSource{path: "x"}}); err == nil {
		t.Error("want an error without a client")
	}
}

func TestTheFallbackIsAskedWhenTheOthersFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := func(custom http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.String(), CDNBaseURL) {
					body(specs(200, "b", "statsigs"))(w, r)
					return
				}
				custom(w, r)
			}
		}
		server := &stub{handler: answer(body(specs(100, "a", "custom")))}
		o := server.options(t)
		var err error
		if o.Sources, err = WithStatsigFallback(o.Client, o.Sources); err != nil {
			t.Fatal(err)
		}
		s := newSyncer(t, o)
		run(t, s)
		if got := s.State(); gateOf(t, got) != "custom" || got.SourceName != "HTTP" || len(server.seen()) != 1 {
			t.Fatalf("want the custom source alone asked, got %+v", got)
		}
		server.serve(answer(status(http.StatusBadGateway)))
		time.Sleep(DefaultInterval)
		synctest.Wait()
		if got := s.State(); gateOf(t, got) != "statsigs" || got.SourceName != "CDN" || got.Err != nil || got.Skipped == nil {
			t.Errorf("want Statsig's CDN to serve, got %+v", got)
		}
	})
}
