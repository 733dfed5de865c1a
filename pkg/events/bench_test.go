package events

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

var benchmarkUser = []byte(`{"userID":"shop/checkout-7d9f8b6c5d-x2x7k","customIDs":{"workload":"shop/checkout"},` +
	`"custom":{"region":"eu-west-1","zone":"eu-west-1b","tier":"gold","replicas":12},"statsigEnvironment":{"tier":"production"}}`)

// benchmarkExposure is a gate exposure of common size, about 600 bytes.
func benchmarkExposure() Exposure {
	return Exposure{
		Result: eval.Result{
			Ref:     eval.Ref{Kind: eval.KindGate, Name: "new_checkout"},
			Pass:    true,
			RuleID:  "6X3qJgyfwA81IJ2dxI7lYp",
			Version: 70,
			SecondaryExposures: []eval.SecondaryExposure{
				{Gate: "global_holdout", GateValue: "false", RuleID: "3QoA4ncNdVGBaMt3N1KYjz:0.50:1"},
			},
			Details: eval.Details{
				Source: "Network", Reason: eval.ReasonRecognized, LCUT: 1767981029384, ReceivedAt: time.UnixMilli(1795186904149),
			},
		},
		User: benchmarkUser,
	}
}

// unitNames avoids measuring how names are made.
func unitNames() []string {
	names := make([]string, 1<<16)
	for i := range names {
		names[i] = fmt.Sprintf("shop/checkout-%d", i)
	}
	return names
}

type discardSender struct{}

func (discardSender) send(context.Context, request) error { return nil }

func BenchmarkExpose(b *testing.B) {
	b.Run("queued", func(b *testing.B) {
		l := newLogger(mustOptions(b, Options{MaxPendingBatches: 10}), discardSender{})
		e, units := benchmarkExposure(), unitNames()
		e.RepeatEvery = 1 // so that each is queued; the full queue evicts, which is part of the price
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			e.Unit = units[i%len(units)]
			l.Expose(e)
		}
	})
	b.Run("repeated", func(b *testing.B) {
		l := newLogger(mustOptions(b, Options{}), discardSender{})
		e := benchmarkExposure()
		l.Expose(e)
		b.ReportAllocs()
		for b.Loop() {
			l.Expose(e)
		}
	})
}

// BenchmarkDelivery measures events until a server on loopback has acknowledged them.
func BenchmarkDelivery(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"success":true}`)
	}))
	defer server.Close()
	units := unitNames()
	tests := map[string]func(l *Logger, i int) bool{
		"exposures": func(l *Logger, i int) bool {
			e := benchmarkExposure()
			e.Unit, e.RepeatEvery = units[i%len(units)], 1
			return l.Expose(e)
		},
		"custom": func(l *Logger, i int) bool {
			return l.Log(CustomEvent{Name: "rollout_finished", User: benchmarkUser, Value: String(units[i%len(units)])})
		},
	}
	for name, logOne := range tests {
		b.Run(name, func(b *testing.B) {
			o := mustOptions(b, Options{URL: server.URL, MaxPendingBatches: 100})
			l := newLogger(o, newHTTPSender(o))
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- l.Run(ctx) }()
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				for l.queue.isCrowded() {
					runtime.Gosched() // the benchmark measures delivery, not loss
				}
				if !logOne(l, i) {
					b.Fatal("event was not queued")
				}
			}
			if err := l.Flush(ctx); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			if got := l.Stats(); got.Delivered != int64(b.N) {
				b.Errorf("delivered %d of %d: %+v", got.Delivered, b.N, got)
			}
			cancel()
			<-done
		})
	}
}

func (q *queue) isCrowded() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.events > q.maxEvents/2
}
