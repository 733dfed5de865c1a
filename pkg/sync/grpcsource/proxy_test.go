package grpcsource_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest/forwardproxy"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource"
)

// testKey has the shape of a real key, so that a leak of it is found.
const testKey = "secret-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"

const noUpdates = `{"has_updates":false}`

// document is a document of one gate, named after its time.
func document(time int64) grpcsource.Message {
	return grpcsource.Message{Time: time, Document: fmt.Sprintf(`{"has_updates":true,"time":%d,"checksum":"c%d",`+
		`"feature_gates":{"gate_%d":{"type":"feature_gate","entity":"feature_gate","salt":"s","enabled":true,"idType":"userID",`+
		`"defaultValue":false,"rules":[]}},"dynamic_configs":{},"layer_configs":{},"condition_map":{},"experiment_to_layer":{}}`,
		time, time, time)}
}

// forwardProxy is a forward proxy that tells what happens to it.
type forwardProxy struct {
	*forwardproxy.Server
	t       *testing.T
	options forwardproxy.Options
	streams chan int64    // the since of each stream that is opened
	ended   chan struct{} // one for each stream that has ended

	mu        sync.Mutex
	refusal   error         // what streams are refused with
	silent    chan struct{} // when set, streams wait for it before their first message
	questions int
}

// newProxy starts a proxy that holds m.
func newProxy(t *testing.T, m grpcsource.Message, config *tls.Config) *forwardProxy {
	t.Helper()
	p := &forwardProxy{t: t, streams: make(chan int64, 1000), ended: make(chan struct{}, 1000)}
	p.options = forwardproxy.Options{
		Key: newKey(testKey), Document: []byte(m.Document), TLS: config, Before: p.before, After: p.after,
	}
	p.start()
	t.Cleanup(func() { p.Close() })
	return p
}

// start starts the proxy, also again after a stop.
func (p *forwardProxy) start() {
	p.t.Helper()
	server, err := forwardproxy.Listen(p.t.Context(), p.options)
	if err != nil {
		p.t.Fatal(err)
	}
	p.Server, p.options.Address = server, server.Address()
}

func (p *forwardProxy) before(ctx context.Context, c forwardproxy.Call) error {
	p.mu.Lock()
	refusal, silent := p.refusal, p.silent
	if !c.Stream {
		p.questions++
	}
	p.mu.Unlock()
	if !c.Stream {
		return nil
	}
	p.streams <- c.Since
	if silent != nil {
		select {
		case <-ctx.Done():
		case <-silent:
		}
	}
	return refusal
}

func (p *forwardProxy) after(c forwardproxy.Call) {
	if c.Stream {
		p.ended <- struct{}{}
	}
}

// set changes the document.
func (p *forwardProxy) set(m grpcsource.Message) {
	p.t.Helper()
	p.options.Document = []byte(m.Document)
	if err := p.Set(p.options.Document); err != nil {
		p.t.Fatal(err)
	}
}

// refuse has streams refused.
func (p *forwardProxy) refuse(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusal = err
}

// asked is how often the proxy was asked beside its streams.
func (p *forwardProxy) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.questions
}

func newKey(text string) secret.Key { return secret.NewKey(text) }

// newSource returns a source for p that does not wait long.
func newSource(t *testing.T, address string, change func(*grpcsource.Options)) *grpcsource.Source {
	t.Helper()
	o := grpcsource.Options{
		Address: address, Key: secret.NewKey(testKey), MinBackoff: grpcsource.MinDuration, MaxBackoff: 10 * grpcsource.MinDuration,
	}
	if change != nil {
		change(&o)
	}
	s, err := grpcsource.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// watch runs s.Watch until the test ends and returns a channel that tells of each change.
func watch(t *testing.T, s *grpcsource.Source) <-chan struct{} {
	t.Helper()
	changes := make(chan struct{}, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Watch(ctx, func() { changes <- struct{}{} }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch() = %v, want nil", err)
		}
	})
	s.AwaitWatch()
	return changes
}

// fetch wants an answer.
func fetch(t *testing.T, s *grpcsource.Source, have specsync.Have) specsync.Answer {
	t.Helper()
	answer, err := s.Fetch(t.Context(), have)
	if err != nil {
		t.Fatalf("Fetch(%+v) = %v", have, err)
	}
	return answer
}
