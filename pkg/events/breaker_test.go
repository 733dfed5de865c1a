package events

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestBreakerLetsOneProbeThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newBreaker(func(failures int) time.Duration { return time.Duration(failures) * time.Second })
		defer k.close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		first, _ := k.admit(ctx)
		second, _ := k.admit(ctx)
		k.failed(first, 0)
		k.failed(second, time.Hour) // it was let through together with the first, and says nothing new
		if got := k.current(); got != CircuitOpen {
			t.Errorf("after a failure the circuit is %s", got)
		}
		admitted := make(chan int, 3)
		for range 3 {
			go func() {
				if ticket, ok := k.admit(ctx); ok {
					admitted <- ticket
				}
			}()
		}
		time.Sleep(1500 * time.Millisecond)
		if len(admitted) != 1 || k.current() != CircuitHalfOpen {
			t.Fatalf("%d requests are let through in state %s, want a probe", len(admitted), k.current())
		}
		k.withdraw(<-admitted)
		synctest.Wait()
		if len(admitted) != 1 {
			t.Fatalf("%d requests are let through after a probe was given back, want 1", len(admitted))
		}
		k.failed(<-admitted, 0)
		time.Sleep(1500 * time.Millisecond)
		if len(admitted) != 0 {
			t.Fatal("a request was let through although the second failure asks for two seconds")
		}
		time.Sleep(time.Second)
		<-admitted
		k.succeeded()
		if ticket, ok := k.admit(ctx); !ok || k.current() != CircuitClosed {
			t.Errorf("after a success a request is let through: %t, in state %s", ok, k.current())
		} else {
			k.failed(ticket, time.Minute)
		}
		cancel()
		if _, ok := k.admit(ctx); ok {
			t.Error("a request was let through after the end")
		}
	})
}

func TestBreakerWaitsAsLongAsItIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newBreaker(func(int) time.Duration { return time.Second })
		defer k.close()
		ticket, _ := k.admit(t.Context())
		k.failed(ticket, time.Minute)
		if _, ok := k.admit(t.Context()); !ok || time.Since(testEpoch) != time.Minute {
			t.Errorf("let through: %t, after %s", ok, time.Since(testEpoch))
		}
	})
}
