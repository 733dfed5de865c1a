package grpcsource_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource"
)

var (
	_ specsync.Source  = (*grpcsource.Source)(nil)
	_ specsync.Watcher = (*grpcsource.Source)(nil)
)

func TestChangesArriveByTheStreamAlone(t *testing.T) {
	p := newProxy(t, document(1000), nil)
	s := newSource(t, p.Address(), nil)
	changes := watch(t, s)
	first := fetch(t, s, specsync.Have{})
	<-changes
	if string(first.Document) != document(1000).Document || first.Origin != grpcsource.Origin || first.Version == "" {
		t.Errorf("Fetch() = %+v, want the document of the proxy", first)
	}
	have := specsync.Have{Time: 1000, Checksum: "c1000", Version: first.Version}
	if again := fetch(t, s, have); !again.NotModified {
		t.Errorf("Fetch() = %+v, want not modified", again)
	}
	for _, time := range []int64{2000, 3000} {
		p.set(document(time))
		<-changes
		answer := fetch(t, s, have)
		if string(answer.Document) != document(time).Document {
			t.Errorf("Fetch() after the change = %+v, want document %d", answer, time)
		}
		have = specsync.Have{Time: time, Version: answer.Version}
	}
	if n := p.asked(); n != 0 {
		t.Errorf("the proxy was asked %d times beside the stream, want none", n)
	}
}

func TestWithoutWatchTheSourcePolls(t *testing.T) {
	p := newProxy(t, document(1000), nil)
	s := newSource(t, p.Address(), nil)
	if answer := fetch(t, s, specsync.Have{}); string(answer.Document) != document(1000).Document {
		t.Errorf("Fetch() = %+v, want the document", answer)
	}
	if answer := fetch(t, s, specsync.Have{Time: 1000}); string(answer.Document) != noUpdates {
		t.Errorf("Fetch() = %+v, want no updates", answer)
	}
	if n := p.asked(); n != 2 {
		t.Errorf("the proxy was asked %d times, want 2", n)
	}
}

func TestAProxyWithoutRoomForAStreamIsPolled(t *testing.T) {
	p := newProxy(t, document(1000), nil)
	p.refuse(status.Error(codes.ResourceExhausted, "Max concurrent streams reached"))
	s := newSource(t, p.Address(), nil)
	changes := watch(t, s)
	for range 3 {
		if answer := fetch(t, s, specsync.Have{}); string(answer.Document) != document(1000).Document {
			t.Errorf("Fetch() = %+v, want the document", answer)
		}
		<-p.streams
	}
	// There is room again.
	p.set(document(2000))
	p.refuse(nil)
	<-changes
	if answer := fetch(t, s, specsync.Have{Time: 1000}); string(answer.Document) != document(2000).Document || answer.Version == "" {
		t.Errorf("Fetch() = %+v, want the document from the stream", answer)
	}
}

func TestAProxyThatRestarts(t *testing.T) {
	p := newProxy(t, document(1000), nil)
	s := newSource(t, p.Address(), nil)
	changes := watch(t, s)
	first := fetch(t, s, specsync.Have{})
	<-changes
	have := specsync.Have{Time: 1000, Version: first.Version}
	fetch(t, s, have)
	p.Close()
	<-p.ended
	drain(p.streams)
	// What the proxy said last stands for a while, to those who have it.
	if answer := fetch(t, s, have); !answer.NotModified {
		t.Errorf("Fetch() while the proxy is down = %+v, want not modified", answer)
	}
	if _, err := s.Fetch(t.Context(), specsync.Have{}); err == nil || strings.Contains(err.Error(), "->") {
		t.Errorf("Fetch() of one who has nothing, while the proxy is down, = %v, want an error without a local port", err)
	}
	p.set(document(2000))
	p.start()
	<-changes
	if answer := fetch(t, s, have); string(answer.Document) != document(2000).Document {
		t.Errorf("Fetch() = %+v, want the new document", answer)
	}
	// The first stream after the restart may have been opened when the last asker had nothing.
	if since := <-p.streams; since != 0 && since != 1000 {
		t.Errorf("the stream was opened since %d, want what the last asker held", since)
	}
}

func drain(c <-chan int64) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}

func TestARestartedOperatorAsksOnlyForWhatIsNewer(t *testing.T) {
	p := newProxy(t, document(1000), nil)
	s := newSource(t, p.Address(), nil)
	changes := watch(t, s)
	have := specsync.Have{Time: 1000}
	if answer := fetch(t, s, have); !answer.NotModified {
		t.Errorf("Fetch() = %+v, want not modified", answer)
	}
	if since := <-p.streams; since != 1000 {
		t.Errorf("the stream was opened since %d, want 1000", since)
	}
	p.set(document(2000))
	<-changes
	if answer := fetch(t, s, have); string(answer.Document) != document(2000).Document {
		t.Errorf("Fetch() = %+v, want the new document", answer)
	}
}

func TestAStreamThatFallsSilentIsOpenedAnew(t *testing.T) {
	p := newProxy(t, document(1000), nil)
	s := newSource(t, p.Address(), func(o *grpcsource.Options) { o.MaxSilence = 20 * grpcsource.MinDuration })
	watch(t, s)
	if _, err := s.Fetch(t.Context(), specsync.Have{}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		<-p.streams
		<-p.ended
	}
}

func TestAProxyThatIsSlowToBegin(t *testing.T) {
	p := newProxy(t, document(1000), nil)
	begin := make(chan struct{})
	p.silent = begin
	s := newSource(t, p.Address(), nil)
	changes := watch(t, s)
	// Whoever asks before the first message is told when the time is over, and again when it comes.
	ctx, cancel := context.WithTimeout(t.Context(), 20*grpcsource.MinDuration)
	defer cancel()
	if _, err := s.Fetch(ctx, specsync.Have{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Fetch() = %v, want the deadline", err)
	}
	close(begin)
	<-changes
	if answer := fetch(t, s, specsync.Have{}); string(answer.Document) != document(1000).Document {
		t.Errorf("Fetch() = %+v, want the document", answer)
	}
}

func TestARefusedKey(t *testing.T) {
	p := newProxy(t, document(1000), nil)
	const wrong = "secret-wrongabcdefghijklmnopqrstuvwxyz0123456789"
	s := newSource(t, p.Address(), func(o *grpcsource.Options) { o.Key = newKey(wrong) })
	watch(t, s)
	for range 2 {
		_, err := s.Fetch(t.Context(), specsync.Have{Time: 1000})
		if !errors.Is(err, specsync.ErrUnauthorized) {
			t.Errorf("Fetch() = %v, want ErrUnauthorized", err)
		}
		if strings.Contains(err.Error(), wrong) {
			t.Errorf("the key is in %v", err)
		}
	}
}

func TestTheKeyIsNotPrinted(t *testing.T) {
	s := newSource(t, "proxy:50051", nil)
	if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s.Identity()); strings.Contains(text, testKey) {
		t.Errorf("the key is in %s", text)
	}
}

func TestAnErrorThatEchoesTheKey(t *testing.T) {
	p := newProxy(t, document(1000), nil)
	const odd = "odd key/with=signs"
	s := newSource(t, p.Address(), func(o *grpcsource.Options) { o.Key = newKey(odd) })
	p.refuse(status.Error(codes.Internal, "stream of "+odd))
	_, err := s.Fetch(t.Context(), specsync.Have{})
	if err == nil || strings.Contains(err.Error(), odd) {
		t.Errorf("Fetch() = %v, want an error without the key", err)
	}
}

func TestAServerThatIsNoProxy(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	s := newSource(t, listener.Addr().String(), nil)
	if _, err := s.Fetch(t.Context(), specsync.Have{}); err == nil || !strings.Contains(err.Error(), "out of reach") {
		t.Errorf("Fetch() = %v, want an error that says so", err)
	}
}

func TestWatchTwice(t *testing.T) {
	p := newProxy(t, document(1000), nil)
	s := newSource(t, p.Address(), nil)
	watch(t, s)
	if err := s.Watch(t.Context(), func() {}); err == nil {
		t.Error("the second Watch() = nil, want an error")
	}
}

func TestWatchEndsWithItsStream(t *testing.T) {
	p := newProxy(t, document(1000), nil)
	s := newSource(t, p.Address(), nil)
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Watch(ctx, func() {}) }()
		fetch(t, s, specsync.Have{})
		<-p.streams
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch() = %v, want nil", err)
		}
		<-p.ended
	}
}
