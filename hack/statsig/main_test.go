package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

const (
	key   = "secret-StatsigCommand01"
	batch = `{"statsigMetadata":{"sdkType":"go-test","sdkVersion":"1"},"events":[` +
		`{"eventName":"statsig::layer_exposure","time":1767225600200,"user":{"customIDs":{"podID":"p1","nodeID":"n1"}},"metadata":` +
		`{"config":"ranking","ruleID":"r3","allocatedExperiment":"ranking_model","parameterName":"model","isExplicitParameter":"true"}},` +
		`{"eventName":"statsig::gate_exposure","time":1767225600100,"user":{"userID":"shop/cart"},"metadata":` +
		`{"gate":"checkout_upsell","gateValue":"true","ruleID":"r1"},"secondaryExposures":` +
		`[{"gate":"new_checkout","gateValue":"true","ruleID":"r2"}]},` +
		`{"eventName":"purchase","time":1767225600300,"user":{"userID":"shop/cart"},"value":12.5}]}`
)

func send(t *testing.T, method, url, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"statsig-api-key": key, "statsig-sdk-type": "go-test", "statsig-sdk-version": "1", "statsig-client-time": "1",
		"content-type": "application/json",
	} {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// invoke runs one command to its end.
func invoke(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = run(t.Context(), program{&out, io.Discard}, args)
	return out.String(), err
}

func mustInvoke(t *testing.T, args ...string) string {
	t.Helper()
	out, err := invoke(t, args...)
	if err != nil {
		t.Fatalf("statsig %v: %v", args, err)
	}
	return out
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// served is a serve command under way.
type served struct {
	url string

	mu  sync.Mutex
	log bytes.Buffer
}

func (s *served) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *served) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// serveInBackground runs serve until the returned function is called, which waits for its end.
func serveInBackground(t *testing.T, args ...string) (s *served, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	s = &served{}
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, program{in, s}, append([]string{"serve"}, args...))
		in.CloseWithError(io.EOF)
		ended <- err
	}()
	lines := bufio.NewScanner(out)
	lines.Scan()
	s.url = lines.Text()
	lines.Scan()
	if hint := lines.Text(); !strings.Contains(hint, "hack/statsig") {
		t.Errorf("the second line is %q, want a hint", hint)
	}
	return s, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve ended with %v", err)
		}
	}
}

func TestServe(t *testing.T) {
	urlFile := filepath.Join(t.TempDir(), "url")
	lists := writeFile(t, "lists.json", `{"ids":["123"],"raw":{"body":"+abcdefgh\n"}}`)
	specs := writeFile(t, "specs.json", `{"time":7}`)
	s, stop := serveInBackground(t, "--specs", specs, "--id-lists", lists, "--key", key, "--url-file", urlFile)

	if text, err := os.ReadFile(urlFile); err != nil || string(text) != s.url+"\n" {
		t.Errorf("the URL file holds %q, error %v, want %q", text, err, s.url)
	}
	if got := send(t, "GET", s.url+"/v2/download_config_specs/"+key+".json", ""); got != `{"time":7}` {
		t.Errorf("specs are %q", got)
	}
	manifest := send(t, "POST", s.url+"/v1/get_id_lists", "")
	if !strings.Contains(manifest, `"ids":{"name":"ids"`) || !strings.Contains(manifest, `"raw":{"name":"raw"`) {
		t.Errorf("manifest is %s", manifest)
	}
	if got := send(t, "GET", s.url+"/v2/download_config_specs/secret-another1.json", ""); !strings.Contains(got, "not one of those accepted") {
		t.Errorf("another key gets %s", got)
	}
	stop()

	logged := s.logged()
	if n := strings.Count(logged, "\n"); n != 3 {
		t.Errorf("%d lines were logged for 3 requests:\n%s", n, logged)
	}
	if strings.Contains(logged, key) || strings.Contains(logged, "secret-") {
		t.Errorf("the log shows a key:\n%s", logged)
	}
	if _, err := os.Stat(urlFile); !os.IsNotExist(err) {
		t.Errorf("the URL file is still there: %v", err)
	}
}

func TestServeDemoQuietly(t *testing.T) {
	s, stop := serveInBackground(t, "--quiet")
	defer stop()
	if got := send(t, "GET", s.url+"/v2/download_config_specs/any.json", ""); got != string(statsigtest.DemoProject()) {
		t.Errorf("specs are not the demo project: %.80s", got)
	}
	if logged := s.logged(); logged != "" {
		t.Errorf("something was logged: %s", logged)
	}
}

func TestEditingCommands(t *testing.T) {
	doc := writeFile(t, "specs.json", `{"time":7,"feature_gates":{}}`)
	tests := map[string]struct {
		args       []string
		wantOutput string
		same       func(*statsigtest.Server) error
	}{
		"flip on": {
			[]string{"flip", "new_checkout", "on"}, "new_checkout: on\n",
			func(s *statsigtest.Server) error { return s.SetGate("new_checkout", true) },
		},
		"flip off": {
			[]string{"flip", "segment:staff", "off"}, "segment:staff: off\n",
			func(s *statsigtest.Server) error { return s.SetGate("segment:staff", false) },
		},
		"flip back": {
			[]string{"flip", "new_checkout", "reset"}, "new_checkout: reset\n",
			func(s *statsigtest.Server) error { return s.ResetGate("new_checkout") },
		},
		"flip to a percentage": {
			[]string{"flip", "new_checkout", "12.5%"}, "new_checkout: 12.5%\n",
			func(s *statsigtest.Server) error { return s.SetPassPercentage("new_checkout", "", 12.5) },
		},
		"flip one rule": {
			[]string{"flip", "segment:staff", "0", "--rule", "5ayoXr9AXPBOsbbegt1ymz"}, "segment:staff: 0\n",
			func(s *statsigtest.Server) error {
				return s.SetPassPercentage("segment:staff", "5ayoXr9AXPBOsbbegt1ymz", 0)
			},
		},
		"set a config": {
			[]string{"set-config", "freeze", `{"state":"on"}`}, `freeze: {"state":"on"}` + "\n",
			func(s *statsigtest.Server) error { return s.SetDynamicConfig("freeze", []byte(`{"state":"on"}`)) },
		},
		"set specs": {
			[]string{"set-specs", doc}, "serving " + doc + "\n",
			func(s *statsigtest.Server) error {
				s.SetSpecs([]byte(`{"time":7,"feature_gates":{}}`))
				return s.BumpSpecs()
			},
		},
		"set specs as they are": {
			[]string{"set-specs", "--as-is", doc}, "serving " + doc + "\n",
			func(s *statsigtest.Server) error { s.SetSpecs([]byte(`{"time":7,"feature_gates":{}}`)); return nil },
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s, other := statsigtest.Start(t, statsigtest.Options{}), statsigtest.Start(t, statsigtest.Options{})
			out := mustInvoke(t, append(tc.args, "--url", s.URL())...)
			if diff := cmp.Diff(tc.wantOutput, out); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if err := tc.same(other); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(other.Specs()), string(s.Specs())); diff != "" {
				t.Errorf("documents (-method +command):\n%s", diff)
			}
		})
	}
}

func TestSetIDs(t *testing.T) {
	s := statsigtest.Start(t, statsigtest.Options{})
	if out := mustInvoke(t, "set-ids", "--url", s.URL(), "new list", "123", "a_user"); out != "new list: 2 unit IDs\n" {
		t.Errorf("output is %q", out)
	}
	if manifest := send(t, "POST", s.IDListsURL(), ""); !strings.Contains(manifest, `"name":"new list"`) {
		t.Errorf("manifest is %s", manifest)
	}
}

func TestEvents(t *testing.T) {
	s := statsigtest.Start(t, statsigtest.Options{})
	send(t, "POST", s.EventsURL(), batch)
	var table []string
	for line := range strings.Lines(mustInvoke(t, "events", "--url", s.URL())) {
		table = append(table, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"TIME EVENT NAME VALUE RULE USER SECONDARY",
		"2026-01-01T00:00:00.100Z gate_exposure checkout_upsell true r1 shop/cart new_checkout=true",
		"2026-01-01T00:00:00.200Z layer_exposure ranking.model ranking_model r3 nodeID=n1,podID=p1 -",
		"2026-01-01T00:00:00.300Z purchase - 12.5 - shop/cart -",
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	lines := strings.Split(mustInvoke(t, "events", "-o", "json", "--url", s.URL()), "\n")
	if len(lines) != 4 || lines[2] != `{"eventName":"purchase","time":1767225600300,"user":{"userID":"shop/cart"},"value":12.5}` {
		t.Errorf("JSON lines are %q", lines)
	}
}

func TestEventsFollow(t *testing.T) {
	s := statsigtest.Start(t, statsigtest.Options{})
	send(t, "POST", s.EventsURL(), batch)
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, program{in, io.Discard}, []string{"events", "--follow", "--url", s.URL()})
	}()
	lines := bufio.NewScanner(out)
	read := func(n int) {
		t.Helper()
		for range n {
			if !lines.Scan() {
				t.Fatalf("the output ended: %v", lines.Err())
			}
		}
	}
	read(4)
	send(t, "POST", s.EventsURL(), batch)
	read(3)
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("following ended with %v, want no error when interrupted", err)
	}
}

func TestFailHealAndRequests(t *testing.T) {
	s := statsigtest.Start(t, statsigtest.Options{})
	specs := s.SpecsURL() + "/" + key + ".json"
	mustInvoke(t, "fail", "--url", s.URL(), "--endpoint", "specs", "--status", "503", "--body", "busy", "--delay", "1ns", "--drop=false")
	if got := send(t, "GET", specs, ""); got != "busy" {
		t.Errorf("a failing server answers %.80q", got)
	}
	mustInvoke(t, "heal", "--url", s.URL())
	if got := send(t, "GET", specs, ""); got == "busy" {
		t.Error("the server did not heal")
	}
	out := strings.Join(strings.Fields(mustInvoke(t, "requests", "--url", s.URL())), " ")
	if want := "ENDPOINT REQUESTS specs 2 events 0 id-lists 0 id-list-files 0 other 0"; out != want {
		t.Errorf("requests are %q, want %q", out, want)
	}
}

func TestMistakesAreErrors(t *testing.T) {
	s := statsigtest.Start(t, statsigtest.Options{})
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	badLists := writeFile(t, "lists.json", `{"l":7}`)
	tests := map[string]struct {
		args []string
		want string
	}{
		"no command":                  {nil, "no command given"},
		"an unknown command":          {[]string{"flop"}, `unknown command "flop"`},
		"an unknown flag":             {[]string{"heal", "--now"}, "unknown flag: --now"},
		"no URL":                      {[]string{"heal"}, "--url is required"},
		"a server that is not there":  {[]string{"heal", "--url", "http://127.0.0.1:1"}, "calling the server"},
		"a server of another kind":    {[]string{"heal", "--url", other.URL}, "does not answer like"},
		"an argument too many":        {[]string{"heal", "--url", s.URL(), "all"}, "want the arguments []"},
		"flip without a state":        {[]string{"flip", "--url", s.URL(), "new_checkout"}, "want the arguments [GATE"},
		"flip to nonsense":            {[]string{"flip", "--url", s.URL(), "new_checkout", "open"}, `"open" is none of`},
		"flip of an unknown gate":     {[]string{"flip", "--url", s.URL(), "nothing", "on"}, `feature_gates has no "nothing"`},
		"a rule without a percentage": {[]string{"flip", "--url", s.URL(), "--rule", "r", "new_checkout", "on"}, "--rule goes with"},
		"a config that is no object":  {[]string{"set-config", "--url", s.URL(), "freeze", "7"}, "not a JSON object"},
		"specs that are not there":    {[]string{"set-specs", "--url", s.URL(), "/nowhere.json"}, "reading config specs"},
		"a list without a name":       {[]string{"set-ids", "--url", s.URL()}, "want the name of a list"},
		"a failure that does nothing": {[]string{"fail", "--url", s.URL()}, "says nothing to do"},
		"an unknown output":           {[]string{"events", "--url", s.URL(), "-o", "yaml"}, `unknown output "yaml"`},
		"serving what is not there":   {[]string{"serve", "--specs", "/nowhere.json"}, "reading config specs"},
		"serving lists not there":     {[]string{"serve", "--id-lists", "/nowhere.json"}, "reading ID lists"},
		"serving lists of nonsense":   {[]string{"serve", "--id-lists", badLists}, `list "l" is neither`},
		"serving at no address":       {[]string{"serve", "--listen", "nowhere:x"}, "opening the Statsig test server's listener"},
		"a URL file in no folder":     {[]string{"serve", "--url-file", "/nowhere/url"}, "writing the URL"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := invoke(t, tc.args...)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want one that contains %q", err, tc.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	out := mustInvoke(t, "help")
	for _, c := range commands {
		if !strings.Contains(out, c.name) {
			t.Errorf("help does not mention %s", c.name)
		}
	}
}
