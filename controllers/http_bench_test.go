package controllers

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// heldGate answers as a cache does that has one gate and is asked for no copies.
type heldGate struct {
	client.Reader
	gate *v1alpha1.RolloutGate
}

func (h heldGate) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	*into.(*v1alpha1.RolloutGate) = *h.gate
	return nil
}

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkServing asks for a gate with its own token and as a user, whose rights are remembered.
func BenchmarkServing(b *testing.B) {
	for name, token := range map[string]string{"token": gateToken, "user": annToken} {
		b.Run(name, func(b *testing.B) {
			s := newServed(b, nil, 1e9, servedGate(v1alpha1.GateOpen), tokenSecret(gateToken))
			held := heldGate{gate: servedGate(v1alpha1.GateOpen)}
			handler, err := newServer(held, s.asks, s.runtimes, func() bool { return true }, ServingOptions{QPS: 1e9})
			if err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, gatePath, nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				r.Body = io.NopCloser(strings.NewReader(""))
				handler.ServeHTTP(w, r)
			}
		})
	}
}
