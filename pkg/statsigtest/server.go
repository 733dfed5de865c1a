package statsigtest

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// Bounds on what a server keeps, so that a client gone wild cannot exhaust the test's memory.
const (
	defaultMaxEvents = 100_000
	maxRequests      = 10_000
)

// Options configure a [Server]. The zero value serves the demo project and its ID lists to every key.
type Options struct {
	// Specs is the config specs document, served byte for byte whatever it holds. nil means [DemoProject].
	Specs []byte

	// IDLists maps list names to unit IDs in clear. nil means [DemoIDLists] where Specs is nil, else no lists.
	IDLists map[string][]string

	// Keys are the SDK keys to accept: requests with another key get 403, requests without one 401. When there are
	// none, every key is accepted.
	Keys []secret.Key

	// AlwaysFull answers each specs request with the whole document, as caches do that ignore sinceTime and checksum.
	AlwaysFull bool

	// MaxEvents bounds the events kept; the oldest make room. Zero means 100,000.
	MaxEvents int

	// OnRequest, if set, is called once per request, just before its answer is sent. It must be safe for concurrent
	// use and must not call the server.
	OnRequest func(Request)
}

func (o *Options) complete() error {
	if o.MaxEvents < 0 {
		return errors.New("option MaxEvents is negative")
	}
	if o.MaxEvents == 0 {
		o.MaxEvents = defaultMaxEvents
	}
	for i, k := range o.Keys {
		if k.IsZero() {
			return fmt.Errorf("option Keys[%d] is empty", i)
		}
	}
	if o.Specs == nil {
		o.Specs = DemoProject()
		if o.IDLists == nil {
			o.IDLists = DemoIDLists()
		}
	}
	return nil
}

// Server is a Statsig-compatible server. Use [Start], [Listen] or, to mount it elsewhere, [New].
type Server struct {
	alwaysFull bool
	maxEvents  int
	onRequest  func(Request)
	keys       map[string]struct{} // fingerprints of the accepted keys; empty accepts all
	scrubber   secret.Scrubber
	control    http.Handler

	listener *http.Server // nil unless made by Listen
	url      string
	served   chan struct{} // closed when the listener has ended

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced whenever something below changes
	specs      *document
	latestTime int64 // highest time of any document served
	lists      map[string]*idList
	lastList   int64 // creation time given to the newest ID list file
	failures   map[Endpoint]Failure
	arrived    map[Endpoint]int
	requests   []Request
	events     []Event
	numEvents  int // events ever recorded
}

// New returns a server that listens nowhere: mount it as an [http.Handler]. It must be mounted at the root of its
// host, because the addresses of ID list files are made from the Host header.
func New(opts Options) (*Server, error) {
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("configuring the Statsig test server: %w", err)
	}
	s := &Server{
		alwaysFull: opts.AlwaysFull,
		maxEvents:  opts.MaxEvents,
		onRequest:  opts.OnRequest,
		keys:       map[string]struct{}{},
		changed:    make(chan struct{}),
		specs:      newDocument(opts.Specs),
		lists:      map[string]*idList{},
		failures:   map[Endpoint]Failure{},
		arrived:    map[Endpoint]int{},
	}
	for _, k := range opts.Keys {
		s.keys[k.Fingerprint()] = struct{}{}
		s.scrubber.Add(k)
	}
	for name, ids := range opts.IDLists {
		s.SetIDList(name, ids...)
	}
	s.control = s.controlHandler()
	return s, nil
}

// Listen returns a server that listens on address, "127.0.0.1:0" for any free loopback port. ctx covers the opening
// of the listener only; [Server.Close] ends the server.
func Listen(ctx context.Context, address string, opts Options) (*Server, error) {
	s, err := New(opts)
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("opening the Statsig test server's listener: %w", err)
	}
	s.url = "http://" + l.Addr().String()
	s.served = make(chan struct{})
	s.listener = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(s.scrubber.Writer(os.Stderr), "statsigtest: ", 0),
	}
	go func() {
		defer close(s.served)
		if err := s.listener.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.listener.ErrorLog.Printf("Serving ended: %v", err)
		}
	}()
	return s, nil
}

// TB is the part of [testing.TB] that [Start] uses.
type TB interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
	Cleanup(f func())
}

// Start returns a server on a free loopback port that is closed when the test ends. It fails the test when it cannot.
func Start(t TB, opts Options) *Server {
	t.Helper()
	s, err := Listen(t.Context(), "127.0.0.1:0", opts)
	if err != nil {
		t.Fatalf("Starting the Statsig test server: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Close stops listening and cuts all connections, requests under way included. Edits and recorded events stay
// readable. It may be called more than once, and does nothing for a server made by [New].
func (s *Server) Close() {
	if s.listener == nil {
		return
	}
	if err := s.listener.Close(); err != nil {
		s.listener.ErrorLog.Printf("Closing the listener: %v", err)
	}
	<-s.served
}

// URL is the server's base address without a trailing slash; "" for a server made by [New].
func (s *Server) URL() string { return s.url }

// SpecsURL is the address that "/<key>.json" is appended to, as the SDKs' specs URL option wants it.
func (s *Server) SpecsURL() string { return s.url + "/v2" + specsPath }

// EventsURL is the address events are posted to, as the SDKs' log event URL option wants it.
func (s *Server) EventsURL() string { return s.url + "/v1" + eventsPath }

// IDListsURL is the address of the ID list manifest, as the SDKs' ID lists URL option wants it.
func (s *Server) IDListsURL() string { return s.url + "/v1" + idListsPath }

// announce wakes everyone who waits for a change. Callers hold s.mu.
func (s *Server) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// accepts reports whether a request with this key is answered, and the answer it gets when not.
func (s *Server) accepts(k secret.Key) (refusal answer, ok bool) {
	if k.IsZero() {
		return refuse(http.StatusUnauthorized, "the request carries no SDK key"), false
	}
	if len(s.keys) == 0 {
		return answer{}, true
	}
	if _, known := s.keys[k.Fingerprint()]; !known {
		return refuse(http.StatusForbidden, "the SDK key is not one of those accepted"), false
	}
	return answer{}, true
}

const (
	specsPath      = "/download_config_specs"
	eventsPath     = "/log_event"
	idListsPath    = "/get_id_lists"
	listFilePrefix = "/id_list_files/"
)

// call is what a request's address and headers say.
type call struct {
	endpoint Endpoint
	key      secret.Key
	target   string // path with the key replaced by its fingerprint
	listFile string // EndpointIDListFiles: list name, slash, creation time
}

// classify reads a request's address. Any prefix is fine, since clients are configured with /v1, /v2 or a proxy's own
// path.
func classify(r *http.Request) call {
	path := r.URL.Path
	c := call{endpoint: EndpointOther, key: secret.NewKey(r.Header.Get("Statsig-Api-Key")), target: path}
	if file, ok := strings.CutPrefix(path, listFilePrefix); ok {
		c.endpoint, c.listFile = EndpointIDListFiles, file
		return c
	}
	for _, p := range []struct {
		path     string
		endpoint Endpoint
	}{{specsPath, EndpointSpecs}, {idListsPath, EndpointIDLists}, {eventsPath, EndpointEvents}} {
		if strings.HasSuffix(path, p.path) {
			c.endpoint = p.endpoint
			return c
		}
		if before, after, ok := strings.Cut(path, p.path+"/"); ok {
			key, isJSON := strings.CutSuffix(after, ".json")
			if !isJSON || p.endpoint == EndpointEvents {
				break
			}
			c.endpoint, c.key = p.endpoint, secret.NewKey(key)
			c.target = before + p.path + "/" + c.key.Fingerprint() + ".json"
			return c
		}
	}
	return c
}
