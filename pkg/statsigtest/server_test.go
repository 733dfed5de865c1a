package statsigtest_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

const (
	key      = "secret-ServerTest0001"
	otherKey = "secret-ServerTest0002"
)

// smallProject is a document with a checksum, at time 100.
const smallProject = `{"has_updates":true,"time":100,"checksum":"abc","feature_gates":{"g":{"rules":[]}}}`

func start(t *testing.T, opts statsigtest.Options) *statsigtest.Server {
	t.Helper()
	return statsigtest.Start(t, opts)
}

type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request; err is that of the exchange, truncation included.
func do(t *testing.T, method, url string, header map[string]string, body string) (reply, error) {
	t.Helper()
	return doContext(t.Context(), t, method, url, header, body)
}

func doContext(
	ctx context.Context, t *testing.T, method, url string, header map[string]string, body string,
) (reply, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatalf("making a request: %v", err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(text)}, err
}

func mustDo(t *testing.T, method, url string, header map[string]string, body string) reply {
	t.Helper()
	r, err := do(t, method, url, header, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return r
}

func TestSpecsAreConditional(t *testing.T) {
	const none = `{"has_updates":false}`
	tests := map[string]struct {
		doc, query string
		alwaysFull bool
		want       string
	}{
		"a first request gets the document":                    {doc: smallProject, query: "", want: smallProject},
		"sinceTime=0 is a first request":                       {doc: smallProject, query: "?sinceTime=0", want: smallProject},
		"the same checksum means no updates":                   {doc: smallProject, query: "?sinceTime=100&checksum=abc", want: none},
		"the same time with another checksum is an update":     {doc: smallProject, query: "?sinceTime=100&checksum=x", want: smallProject},
		"without a checksum the time decides":                  {doc: smallProject, query: "?sinceTime=100", want: none},
		"an earlier time gets the document":                    {doc: smallProject, query: "?sinceTime=99", want: smallProject},
		"a later time has no updates":                          {doc: smallProject, query: "?sinceTime=101", want: none},
		"a later time with another checksum gets the document": {doc: smallProject, query: "?sinceTime=101&checksum=x", want: smallProject},
		"a cache that ignores parameters sends all of it":      {doc: smallProject, query: "?checksum=abc", alwaysFull: true, want: smallProject},
		"a document that is no JSON is served as it is":        {doc: "{oops", query: "?sinceTime=100&checksum=abc", want: "{oops"},
		"an unreadable sinceTime is none":                      {doc: smallProject, query: "?sinceTime=soon", want: smallProject},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := start(t, statsigtest.Options{Specs: []byte(tc.doc), AlwaysFull: tc.alwaysFull})
			got := mustDo(t, "GET", s.SpecsURL()+"/"+key+".json"+tc.query, nil, "")
			if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("answer is %d %s", got.status, got.header.Get("Content-Type"))
			}
			if diff := cmp.Diff(tc.want, got.body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestKeysAndAddresses(t *testing.T) {
	tests := map[string]struct {
		method, path, key string
		open              bool // the server accepts every key
		wantStatus        int
		wantEndpoint      statsigtest.Endpoint
	}{
		"specs under v2":                             {"GET", "/v2/download_config_specs/" + key + ".json", "", false, 200, statsigtest.EndpointSpecs},
		"specs under v1":                             {"GET", "/v1/download_config_specs/" + key + ".json", "", false, 200, statsigtest.EndpointSpecs},
		"specs without a prefix":                     {"GET", "/download_config_specs/" + key + ".json", "", false, 200, statsigtest.EndpointSpecs},
		"specs under a long prefix":                  {"GET", "/a/b/c/download_config_specs/" + key + ".json", "", false, 200, statsigtest.EndpointSpecs},
		"specs for a wrong key":                      {"GET", "/v2/download_config_specs/" + otherKey + ".json", key, false, 403, statsigtest.EndpointSpecs},
		"specs for any key":                          {"GET", "/v2/download_config_specs/whatever.json", "", true, 200, statsigtest.EndpointSpecs},
		"specs without a key":                        {"GET", "/v2/download_config_specs/.json", "", true, 401, statsigtest.EndpointSpecs},
		"specs by header":                            {"GET", "/v2/download_config_specs", key, false, 200, statsigtest.EndpointSpecs},
		"specs are not posted":                       {"POST", "/v2/download_config_specs/" + key + ".json", "", false, 405, statsigtest.EndpointSpecs},
		"manifest by POST":                           {"POST", "/v1/get_id_lists", key, false, 200, statsigtest.EndpointIDLists},
		"manifest by POST without a key":             {"POST", "/v1/get_id_lists", "", false, 401, statsigtest.EndpointIDLists},
		"manifest by POST with a wrong key":          {"POST", "/v1/get_id_lists", otherKey, false, 403, statsigtest.EndpointIDLists},
		"manifest as the CDN has it":                 {"GET", "/v1/get_id_lists/" + key + ".json", "", false, 200, statsigtest.EndpointIDLists},
		"manifest is not deleted":                    {"DELETE", "/v1/get_id_lists", key, false, 405, statsigtest.EndpointIDLists},
		"events with a wrong key":                    {"POST", "/v1/log_event", otherKey, false, 403, statsigtest.EndpointEvents},
		"events are not read":                        {"GET", "/v1/log_event", key, false, 405, statsigtest.EndpointEvents},
		"an unknown list file":                       {"GET", "/id_list_files/nothing/1", "", false, 404, statsigtest.EndpointIDListFiles},
		"a list file address without a number":       {"GET", "/id_list_files/nothing", "", false, 404, statsigtest.EndpointIDListFiles},
		"an address that is not Statsig's":           {"GET", "/v1/initialize", key, false, 404, statsigtest.EndpointOther},
		"a key that doesn't end in .json":            {"GET", "/v2/download_config_specs/" + key, "", false, 404, statsigtest.EndpointOther},
		"a path that only begins like the event one": {"POST", "/v1/log_event/x.json", key, false, 404, statsigtest.EndpointOther},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			opts := statsigtest.Options{Keys: []secret.Key{secret.NewKey(key)}}
			if tc.open {
				opts.Keys = nil
			}
			s := start(t, opts)
			header := map[string]string{}
			if tc.key != "" {
				header["statsig-api-key"] = tc.key
			}
			got := mustDo(t, tc.method, s.URL()+tc.path, header, "")
			if got.status != tc.wantStatus {
				t.Errorf("status = %d, want %d: %s", got.status, tc.wantStatus, got.body)
			}
			if n := s.RequestCount(tc.wantEndpoint); n != 1 {
				t.Errorf("RequestCount(%s) = %d, want 1", tc.wantEndpoint, n)
			}
		})
	}
}

func TestSpecsAreCompressedWhenAccepted(t *testing.T) {
	s := start(t, statsigtest.Options{})
	url := s.SpecsURL() + "/" + key + ".json"
	for accept, want := range map[string]string{
		"":                               "",
		"br":                             "",
		"gzip;q=0":                       "",
		"gzip":                           "gzip",
		"statsig-br, gzip, deflate, br":  "gzip",
		"br;q=1.0, gzip;q=0.5, *;q=0.25": "gzip",
	} {
		got := mustDo(t, "GET", url, map[string]string{"Accept-Encoding": accept}, "")
		if encoding := got.header.Get("Content-Encoding"); encoding != want {
			t.Errorf("accepting %q: content-encoding is %q, want %q", accept, encoding, want)
			continue
		}
		text := got.body
		if want == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(got.body))
			if err != nil {
				t.Fatalf("opening the compressed document: %v", err)
			}
			plain, err := io.ReadAll(z)
			if err != nil {
				t.Fatalf("decompressing the document: %v", err)
			}
			text = string(plain)
		}
		if diff := cmp.Diff(string(statsigtest.DemoProject()), text); diff != "" {
			t.Errorf("accepting %q: document (-want +got):\n%s", accept, diff)
		}
	}
}

func TestEditsMoveTimeForward(t *testing.T) {
	s := start(t, statsigtest.Options{Specs: []byte(smallProject)})
	seen := map[string]bool{}
	check := func(what string, err error, wantTime int64) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		doc := gjson.ParseBytes(s.Specs())
		if got := doc.Get("time").Int(); got != wantTime {
			t.Errorf("%s: time = %d, want %d", what, got, wantTime)
		}
		checksum := doc.Get("checksum").String()
		if seen[checksum] {
			t.Errorf("%s: checksum %s was served before", what, checksum)
		}
		seen[checksum] = true
	}
	check("start", nil, 100)
	check("on", s.SetGate("g", true), 101)
	check("on again", s.SetGate("g", true), 102)
	check("off", s.SetGate("g", false), 103)
	check("reset", s.ResetGate("g"), 104)
	s.SetSpecs([]byte(`{"time":50,"checksum":"old","feature_gates":{"g":{"rules":[]}}}`))
	check("an older document", nil, 50)
	check("on after the step back", s.SetGate("g", true), 105)
	s.SetSpecs([]byte(`{"feature_gates":{}}`))
	check("bump of a document without time", s.BumpSpecs(), 106)
}

func TestEditsAreDeterministic(t *testing.T) {
	var docs [2]string
	for i := range docs {
		s := start(t, statsigtest.Options{})
		if err := s.SetPassPercentage("new_checkout", "", 75); err != nil {
			t.Fatal(err)
		}
		docs[i] = string(s.Specs())
	}
	if diff := cmp.Diff(docs[0], docs[1]); diff != "" {
		t.Errorf("documents of two servers (-first +second):\n%s", diff)
	}
}

func TestEditsThatCannotBeMade(t *testing.T) {
	s := start(t, statsigtest.Options{Specs: []byte(smallProject)})
	errs := map[string]error{
		"unknown gate":      s.SetGate("h", true),
		"unknown gate %":    s.SetPassPercentage("h", "", 5),
		"unknown config":    s.SetDynamicConfig("h", []byte(`{}`)),
		"value not object":  s.SetDynamicConfig("h", []byte(`[]`)),
		"value not JSON":    s.SetDynamicConfig("h", []byte(`{`)),
		"reset of a nobody": s.ResetGate("h"),
	}
	for name, err := range errs {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if diff := cmp.Diff(smallProject, string(s.Specs())); diff != "" {
		t.Errorf("a refused edit changed the document (-want +got):\n%s", diff)
	}
	s.SetSpecs([]byte("not JSON"))
	if err := s.BumpSpecs(); err == nil {
		t.Error("a document that is no JSON was edited")
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for name, opts := range map[string]statsigtest.Options{
		"an empty key":        {Keys: []secret.Key{secret.NewKey(key), secret.NewKey("")}},
		"a negative capacity": {MaxEvents: -1},
	} {
		if _, err := statsigtest.New(opts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := statsigtest.Listen(t.Context(), "127.0.0.1:nonsense", statsigtest.Options{}); err == nil {
		t.Error("an impossible address: no error")
	}
}

func TestCloseCanBeRepeated(t *testing.T) {
	s := start(t, statsigtest.Options{})
	s.Close()
	s.Close()
	if _, err := do(t, "GET", s.URL(), nil, ""); err == nil {
		t.Error("a closed server answered")
	}
	unmounted, err := statsigtest.New(statsigtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	unmounted.Close()
}
