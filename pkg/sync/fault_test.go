package specsync

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

const (
	faultKey = "secret-0123456789"
	// faultPolls is how often a project polls while something is wrong.
	faultPolls = 3
	// healPolls bounds the polls until it is well again: one is enough, but machines under load may let it time out.
	healPolls = 20
)

// rig is a Statsig server on the loopback, a TCP proxy in front of it that does harm, and a syncer whose polls the test
// makes.
type rig struct {
	statsig   *statsigtest.Server
	http      *httptest.Server
	proxy     *toxiproxy.Proxy
	transport *http.Transport
	syncer    *Syncer
	// requests counts what arrived at the server.
	requests atomic.Int64
	// answer, if set, takes the place of the server's answers.
	answer atomic.Pointer[http.HandlerFunc]
	// unknown makes looking up the host fail.
	unknown atomic.Bool
	// certificate is what the server shows.
	certificate atomic.Pointer[tls.Certificate]
}

// rigOptions are what differs between rigs.
type rigOptions struct {
	timeout time.Duration
	// tls has the server speak HTTPS; viaProxy has the TCP proxy stand in front of an HTTP proxy.
	tls, viaProxy bool
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	statsig, err := statsigtest.New(statsigtest.Options{
		Specs: []byte(specsFor(faultKey, 100, "a", "first")), Keys: []secret.Key{secret.NewKey(faultKey)},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{statsig: statsig}
	r.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.requests.Add(1)
		if answer := r.answer.Load(); answer != nil {
			(*answer)(w, req)
			return
		}
		statsig.ServeHTTP(w, req)
	}))
	scheme, host, trusted := "http", "", x509.NewCertPool()
	if o.tls {
		own := newCertificate(t)
		trusted.AddCert(own.Leaf)
		r.certificate.Store(own)
		r.http.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return r.certificate.Load(), nil }}
		r.http.Config.ErrorLog = nil
		r.http.StartTLS()
		scheme = "https"
	} else {
		r.http.Start()
	}
	t.Cleanup(r.http.Close)
	r.startProxy(t)
	host = r.proxy.Listen
	r.transport = &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted, ServerName: "localhost"},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if r.unknown.Load() {
				return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}}
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	t.Cleanup(r.transport.CloseIdleConnections)
	if o.viaProxy {
		r.transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: r.proxy.Listen})
		host = "specs.test"
	}
	c, err := NewClient(ClientOptions{Key: secret.NewKey(faultKey), Transport: r.transport})
	if err != nil {
		t.Fatal(err)
	}
	source, err := NewHTTPSource(c, "HTTP", scheme+"://"+host+"/v2")
	if err != nil {
		t.Fatal(err)
	}
	r.syncer = newSyncer(t, Options{Client: c, Sources: []Source{source}, Timeout: o.timeout})
	return r
}

func (r *rig) startProxy(t *testing.T) {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	r.proxy = toxiproxy.NewProxy(server, "specs", "127.0.0.1:0", r.http.Listener.Addr().String())
	if err := r.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.proxy.Stop)
}

// toxic adds a toxic to what the server sends.
func (r *rig) toxic(t *testing.T, kind, attributes string) {
	t.Helper()
	text := fmt.Sprintf(`{"name":"toxic","type":%q,"stream":"downstream","toxicity":1,"attributes":{%s}}`, kind, attributes)
	if _, err := r.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) answerWith(handler http.HandlerFunc) { r.answer.Store(&handler) }

// fail has the local server do it.
func (r *rig) fail(t *testing.T, f statsigtest.Failure) {
	t.Helper()
	if err := r.statsig.Fail(f); err != nil {
		t.Fatal(err)
	}
}

// heal ends all that is wrong.
func (r *rig) heal(t *testing.T) {
	t.Helper()
	r.answer.Store(nil)
	r.unknown.Store(false)
	r.statsig.Heal()
	r.proxy.Toxics.ResetToxics(t.Context())
	if err := r.proxy.Start(); err != nil && !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
		t.Fatal(err)
	}
}

// poll makes the poll that is due after a wake-up, if a source may be asked.
func (r *rig) poll(ctx context.Context) State {
	r.syncer.woken = true
	r.syncer.poll(ctx)
	return r.syncer.State()
}

// pollUntil polls until the gate served has this name.
func (r *rig) pollUntil(t *testing.T, gate string) {
	t.Helper()
	for range healPolls {
		if s := r.poll(t.Context()); gateOf(t, s) == gate && s.Err == nil {
			return
		}
	}
	t.Fatalf("no recovery: %+v", r.syncer.State())
}

// newCertificate signs itself for localhost.
func newCertificate(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// gzipped is a text, compressed.
func gzipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.Bytes()
}

// bomb is a zstd frame of a few kilobytes that becomes larger than any document may be: blocks that repeat one byte.
func bomb() []byte {
	const blockSize = 128 << 10
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38} // the magic number, no options, a window of one block
	for range MaxDocumentBytes/blockSize + 1 {
		header := uint32(blockSize<<3 | 1<<1) // not the last one, and of the type that repeats
		frame = append(frame, byte(header), byte(header>>8), byte(header>>16), ' ')
	}
	return append(frame, 1, 0, 0) // the last one, which is empty
}

// zipped answers with these bytes and says that they are compressed.
func zipped(content []byte) http.HandlerFunc { return encoded("gzip", string(content)) }

// partly answers with the first half of a text and then keeps the connection.
func partly(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = w.Write([]byte(text[:len(text)/2]))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// TestFaults lets a project with a good snapshot poll while something is wrong and a newer document waits. Whatever it
// is, the good snapshot stays, each poll costs at most two requests (net/http repeats one on a connection that turned
// out dead), and the newer document comes as soon as the fault ends.
func TestFaults(t *testing.T) {
	newer := specsFor(faultKey, 200, "b", "second")
	short := rigOptions{timeout: 300 * time.Millisecond}
	failing := func(f statsigtest.Failure) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) { t.Helper(); r.fail(t, f) }
	}
	answering := func(h http.HandlerFunc) func(*testing.T, *rig) { return func(_ *testing.T, r *rig) { r.answerWith(h) } }
	cases := map[string]struct {
		options rigOptions
		harm    func(t *testing.T, r *rig)
		// want is how each poll ends.
		want Outcome
		// wantRequests is how many requests arrive, 0 for at most two a poll.
		wantRequests int64
		// polls is how often it is tried, 0 for faultPolls.
		polls int
	}{
		"refused":     {harm: func(_ *testing.T, r *rig) { r.proxy.Stop() }, want: OutcomeError},
		"reset":       {harm: func(t *testing.T, r *rig) { t.Helper(); r.toxic(t, "reset_peer", `"timeout":0`) }, want: OutcomeError},
		"too slow":    {options: short, harm: func(t *testing.T, r *rig) { t.Helper(); r.toxic(t, "latency", `"latency":5000`) }, want: OutcomeTimeout},
		"trickling":   {options: short, harm: func(t *testing.T, r *rig) { t.Helper(); r.toxic(t, "slicer", `"average_size":1,"delay":100000`) }, want: OutcomeTimeout},
		"black hole":  {options: short, harm: func(t *testing.T, r *rig) { t.Helper(); r.toxic(t, "timeout", `"timeout":0`) }, want: OutcomeTimeout},
		"stalled":     {options: short, harm: answering(partly(newer)), want: OutcomeTimeout},
		"cut on TCP":  {harm: func(t *testing.T, r *rig) { t.Helper(); r.toxic(t, "limit_data", `"bytes":200`) }, want: OutcomeError},
		"truncated":   {harm: failing(statsigtest.Failure{TruncateAfter: 50}), want: OutcomeError},
		"no answer":   {harm: failing(statsigtest.Failure{Drop: true}), want: OutcomeError},
		"garbage":     {harm: failing(statsigtest.Failure{Garbage: true}), want: OutcomeMalformed},
		"another key": {harm: answering(body(specsFor("secret-other", 300, "x", "other"))), want: OutcomeWrongProject},
		"a length that is too small": {
			// On a connection that stays open the rest would sometimes count as the answer to the next request.
			harm: answering(raw("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 40\r\n\r\n" + newer)), want: OutcomeMalformed,
		},
		"a length that is too large": {
			harm: answering(raw("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + newer)), want: OutcomeError,
		},
		"a length that is none": {
			harm: answering(raw("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + newer)), want: OutcomeError,
		},
		"no compression where it is claimed": {harm: answering(zipped([]byte(newer))), want: OutcomeMalformed},
		"compression that ends early":        {harm: answering(zipped(gzipped(newer)[:60])), want: OutcomeMalformed},
		"compression with a flipped bit": {
			harm: answering(zipped(func() []byte { b := gzipped(newer); b[len(b)/2] ^= 4; return b }())), want: OutcomeMalformed,
		},
		"a decompression bomb": {harm: answering(encoded("zstd", string(bomb()))), want: OutcomeTooLarge, polls: 1},
		"a redirect to another host": {
			harm: answering(http.RedirectHandler("http://127.0.0.2:1/", http.StatusFound).ServeHTTP), want: OutcomeError,
		},
		"401": {harm: failing(statsigtest.Failure{Status: 401}), want: OutcomeUnauthorized},
		"403": {harm: failing(statsigtest.Failure{Status: 403}), want: OutcomeUnauthorized},
		"404": {harm: failing(statsigtest.Failure{Status: 404}), want: OutcomeStatus},
		"500": {harm: failing(statsigtest.Failure{Status: 500}), want: OutcomeStatus},
		"503": {harm: failing(statsigtest.Failure{Status: 503}), want: OutcomeStatus},
		"429 and when to come back": {
			harm: failing(statsigtest.Failure{Status: 429, RetryAfter: time.Minute}), want: OutcomeStatus, wantRequests: 1,
		},
		"503 by a clock that is a day ahead": {
			harm: answering(retryAt(time.Now().Add(24 * time.Hour))), want: OutcomeStatus, wantRequests: 1,
		},
		"503 by a clock that is a day behind": {harm: answering(retryAt(time.Now().Add(-24 * time.Hour))), want: OutcomeStatus},
		"an unknown host": {
			harm: func(_ *testing.T, r *rig) {
				r.unknown.Store(true)
				r.transport.CloseIdleConnections()
			},
			want: OutcomeError,
		},
		"the HTTP proxy is down": {
			options: rigOptions{viaProxy: true}, harm: func(_ *testing.T, r *rig) { r.proxy.Stop() }, want: OutcomeError,
		},
		"a certificate of somebody else": {
			options: rigOptions{tls: true},
			harm: func(t *testing.T, r *rig) {
				t.Helper()
				own := r.certificate.Swap(newCertificate(t))
				t.Cleanup(func() { r.certificate.Store(own) })
				r.http.CloseClientConnections()
			},
			want: OutcomeError,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.options.timeout == 0 {
				tc.options.timeout = 30 * time.Second
			}
			if tc.polls == 0 {
				tc.polls = faultPolls
			}
			r := newRig(t, tc.options)
			r.pollUntil(t, "first")
			good := r.syncer.State()
			own := r.certificate.Load()

			r.statsig.SetSpecs([]byte(newer))
			tc.harm(t, r)
			before := r.requests.Load()
			for i := range tc.polls {
				got := r.poll(t.Context())
				if got.Snapshot != good.Snapshot || !got.LastSuccess.Equal(good.LastSuccess) || got.ConsecutiveFailures != i+1 {
					t.Errorf("poll %d: %+v", i, got)
				}
				if outcome := outcomeOf(got.Err); outcome != tc.want {
					t.Errorf("poll %d: want %s, got %s: %v", i, tc.want, outcome, got.Err)
				}
			}
			requests := r.requests.Load() - before
			if tc.wantRequests > 0 && requests != tc.wantRequests || requests > int64(2*tc.polls) {
				t.Errorf("%d polls made %d requests", tc.polls, requests)
			}

			r.heal(t)
			r.certificate.Store(own)
			r.syncer.sources[0].blockedUntil = time.Time{} // the time that the server asked for has passed
			r.pollUntil(t, "second")
			if got := r.syncer.State(); got.ConsecutiveFailures != 0 || got.SourceName != "HTTP" || !got.LastSuccess.After(good.LastSuccess) {
				t.Errorf("recovered: %+v", got)
			}
		})
	}
}

// retryAt asks for patience with a date.
func retryAt(at time.Time) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", at.UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// TestSlowIsNotBroken has a line that is slow, yet fast enough.
func TestSlowIsNotBroken(t *testing.T) {
	r := newRig(t, rigOptions{timeout: 30 * time.Second})
	r.toxic(t, "latency", `"latency":20,"jitter":10`)
	r.pollUntil(t, "first")
	r.statsig.SetSpecs([]byte(specsFor(faultKey, 200, "b", "second")))
	if s := r.poll(t.Context()); gateOf(t, s) != "second" || s.Err != nil {
		t.Errorf("got %+v", s)
	}
}
