package specsync

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// wantClean fails the test if err, or anything that it wraps, shows the key in any form, a URL's path or a query.
func wantClean(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("there is no error to look at")
		return
	}
	tail := testKey[len("secret-"):]
	for _, text := range texts(err) {
		for _, secretText := range []string{
			testKey, tail, url.PathEscape(testKey), url.QueryEscape(testKey), url.PathEscape(tail), "hunter2",
			"sinceTime", "checksum", "download_config_specs", "sig=",
		} {
			if strings.Contains(text, secretText) {
				t.Errorf("%q holds %q", text, secretText)
			}
		}
	}
}

// texts returns every text that a chain of errors can print.
func texts(err error) []string {
	all := []string{err.Error(), fmt.Sprintf("%v %+v %#v", err, err, err)}
	switch wrapper := err.(type) { //nolint:errorlint // it is the chain itself that is walked
	case interface{ Unwrap() error }:
		if inner := wrapper.Unwrap(); inner != nil {
			all = append(all, texts(inner)...)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range wrapper.Unwrap() {
			all = append(all, texts(inner)...)
		}
	}
	return all
}

// raw answers with bytes that need be no HTTP at all.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write([]byte(strings.ReplaceAll(text, "KEY", testKey)))
	}
}

// hostile are answers that break in every way known, and that give back what they were asked wherever they can.
func hostile(t *testing.T) map[string]http.HandlerFunc {
	t.Helper()
	redirect := func(target string) http.HandlerFunc {
		return raw("HTTP/1.1 302 Found\r\nLocation: " + target + "\r\nContent-Length: 0\r\n\r\n")
	}
	answers := map[string]http.HandlerFunc{
		"nothing":                     raw(""),
		"no HTTP":                     raw("KEY KEY KEY\r\n\r\n"),
		"a status that is the key":    raw("HTTP/1.1 KEY KEY\r\n\r\n"),
		"a header that is the key":    raw("HTTP/1.1 200 OK\r\nKEY\r\n\r\n"),
		"a length that is the key":    raw("HTTP/1.1 200 OK\r\nContent-Length: KEY\r\n\r\n"),
		"a transfer that is the key":  raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: KEY\r\n\r\n"),
		"a chunk that is the key":     raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nKEY\r\n"),
		"an encoding that is the key": raw("HTTP/1.1 200 OK\r\nContent-Encoding: KEY\r\nContent-Length: 2\r\n\r\n{}"),
		"a cut body":                  raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"KEY\""),
		"a redirect elsewhere":        redirect("http://elsewhere.test/KEY.json?sig=KEY"),
		"a redirect to no URL":        redirect("http://[KEY/?sinceTime=1&sig=KEY"),
		"a redirect to a bad port":    redirect("http://elsewhere:KEY/?sig=1"),
		"a redirect with a password":  redirect("http://user:hunter2@elsewhere.test/KEY?sig=1"),
		"a redirect to a bad scheme":  redirect("KEY://elsewhere.test/"),
		"a document that is the key":  body(testKey),
		"a document that names it":    body(`{"has_updates":true,"time":"` + testKey + `","feature_gates":"` + testKey + `"}`),
		"gzip that is the key":        encoded("gzip", testKey),
		"another project's document":  body(specsFor("secret-other", 1, "a", "g")),
		"an ID list page":             body("<html>" + testKey),
		"a manifest that names it":    body(`{"` + testKey + `":{"url":"http://127.0.0.1:1/` + testKey + `?sig=1","size":5}}`),
		"a manifest to nowhere":       body(`{"a":{"url":"http://user:hunter2@[` + testKey + `?sig=1","size":5}}`),
	}
	for _, code := range []int{301, 304, 400, 401, 403, 404, 407, 413, 416, 429, 500, 502, 503, 504} {
		answers[fmt.Sprint("status ", code)] = func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(r.URL.String() + testKey))
		}
	}
	return answers
}

// TestNoErrorShowsTheKey drives every answer through the specs and through the ID lists.
func TestNoErrorShowsTheKey(t *testing.T) {
	for name, answer := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(answer)
			server.Config.ErrorLog = nil
			server.Start()
			defer server.Close()
			address := strings.Replace(server.URL, "http://", "http://user:hunter2@", 1)
			c, err := NewClient(ClientOptions{Key: secret.NewKey(testKey)})
			if err != nil {
				t.Fatal(err)
			}
			defer c.closeIdle()
			source, err := NewHTTPSource(c, "HTTP", address)
			if err != nil {
				t.Fatal(err)
			}
			s := newSyncer(t, Options{
				Client: c, Sources: []Source{source}, IDLists: IDListOptions{Enabled: true, URL: address + "/get_id_lists"},
			})
			s.poll(t.Context())
			s.adopt(s.lists.sync(t.Context()))
			wantClean(t, s.State().Err)
			wantClean(t, s.State().IDListsErr)
		})
	}
}

// TestNoErrorOfAnIDListShowsTheKey serves a good manifest, whose list's file gives the answers.
func TestNoErrorOfAnIDListShowsTheKey(t *testing.T) {
	for name, answer := range hostile(t) {
		if strings.Contains(name, "document") || strings.Contains(name, "manifest") {
			continue // for an ID list all of these are the ID list page
		}
		t.Run(name, func(t *testing.T) {
			var server *httptest.Server
			server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/get_id_lists" {
					_, _ = fmt.Fprintf(w, `{%q:{"url":"%s/%s?sig=1","size":5}}`, testKey, server.URL, url.PathEscape(testKey))
					return
				}
				answer(w, r)
			}))
			defer server.Close()
			c, err := NewClient(ClientOptions{Key: secret.NewKey(testKey)})
			if err != nil {
				t.Fatal(err)
			}
			defer c.closeIdle()
			s := newSyncer(t, Options{
				Client: c, Sources: []Source{fileSource(t, "x")}, IDLists: IDListOptions{Enabled: true, URL: server.URL + "/get_id_lists"},
			})
			wantClean(t, s.lists.sync(t.Context()).err)
		})
	}
}

func TestNoErrorOfTheNetworkShowsTheKey(t *testing.T) {
	inURL := func(err error) error {
		return &url.Error{Op: "Get", URL: "http://specs.test/" + testKey + ".json?sig=1", Err: err}
	}
	for name, broken := range map[string]error{
		"refused":      &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")},
		"no such host": &net.DNSError{Err: "no such host", Name: testKey + ".test", Server: "10.0.0.10:53"},
		"timeout":      context.DeadlineExceeded,
		"nested":       inURL(inURL(errors.New("reading " + testKey + ": broken"))),
		"wrapped":      fmt.Errorf("proxy http://user@proxy/?sig=%s: %w", testKey, inURL(errors.New("x"))),
		"escaped":      errors.New(url.PathEscape(testKey) + " " + url.QueryEscape(testKey)),
	} {
		t.Run(name, func(t *testing.T) {
			server := &stub{broken: broken}
			s := newSyncer(t, server.options(t))
			s.poll(t.Context())
			wantClean(t, s.State().Err)
		})
	}
}

func TestNothingThatHoldsTheKeyPrintsIt(t *testing.T) {
	server := &stub{handler: status(500)}
	o := server.options(t)
	o.IDLists = IDListOptions{Enabled: true}
	p := NewPool()
	lease := acquire(t, p, o)
	for _, v := range []any{o.Client, *o.Client.http, o, o.Sources[0], lease, lease.Syncer(), lease.Syncer().lists, p} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, testKey) {
				t.Errorf("%s of %T holds the key: %s", verb, v, text)
			}
		}
	}
}

func TestErrorsOfOtherSourcesAreScrubbed(t *testing.T) {
	o := (&stub{}).options(t)
	o.Sources = []Source{NewSource("ConfigMap", "x", func(context.Context, Have) (Answer, error) {
		return Answer{}, errors.New("reading " + testKey)
	})}
	s := newSyncer(t, o)
	s.poll(t.Context())
	if text := s.State().Err.Error(); strings.Contains(text, testKey) {
		t.Errorf("%q holds the key", text)
	}
}

// TestTextsOfErrorsAreStable holds texts to what does not change from one attempt to the next: they stand in
// conditions.
func TestTextsOfErrorsAreStable(t *testing.T) {
	local := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 54321}
	cases := map[string]struct {
		broken error
		want   string
	}{
		"refused": {
			&net.OpError{Op: "dial", Net: "tcp", Source: local, Err: errors.New("connect: connection refused")},
			"dial: connect: connection refused",
		},
		"reset":        {&net.OpError{Op: "read", Net: "tcp", Source: local, Err: errors.New("connection reset by peer")}, "read: connection reset by peer"},
		"no such host": {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "x", Server: "10.0.0.10:53"}}, "looking up the host: no such host"},
		"timeout":      {context.DeadlineExceeded, "no answer in time"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSyncer(t, (&stub{broken: tc.broken}).options(t))
			s.poll(t.Context())
			if want := "fetching config specs from HTTP: asking http://specs.test: " + tc.want; s.State().Err.Error() != want {
				t.Errorf("want %q, got %q", want, s.State().Err)
			}
		})
	}
}
