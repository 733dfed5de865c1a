package grpcsource_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource"
)

// syncer is a Syncer that runs until the test ends, and tells of each state that matters.
type syncer struct {
	t      *testing.T
	states chan specsync.State
}

func runSyncer(t *testing.T, sources ...specsync.Source) *syncer {
	t.Helper()
	client, err := specsync.NewClient(specsync.ClientOptions{Key: newKey(testKey)})
	if err != nil {
		t.Fatal(err)
	}
	running, err := specsync.New(specsync.Options{Client: client, Sources: sources})
	if err != nil {
		t.Fatal(err)
	}
	s := &syncer{t: t, states: make(chan specsync.State, 1000)}
	running.Subscribe(func(_, is specsync.State) { s.states <- is })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- running.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
	return s
}

// await returns the first state that is as wanted.
func (s *syncer) await(wanted func(specsync.State) bool) specsync.State {
	s.t.Helper()
	for {
		select {
		case state := <-s.states:
			if wanted(state) {
				return state
			}
		case <-s.t.Context().Done():
			s.t.Fatal("the state did not come")
		}
	}
}

func ofTime(time int64) func(specsync.State) bool {
	return func(s specsync.State) bool { return s.Snapshot != nil && s.Snapshot.Time() == time }
}

func TestASyncerFollowsTheStream(t *testing.T) {
	p := newProxy(t, document(1000), nil)
	s := runSyncer(t, newSource(t, p.Address(), nil))
	s.await(ofTime(1000))
	p.set(document(2000))
	state := s.await(ofTime(2000))
	if state.SourceName != grpcsource.DefaultName || state.Snapshot.Origin().Source != grpcsource.Origin {
		t.Errorf("the snapshot came from %q, %+v", state.SourceName, state.Snapshot.Origin())
	}
}

func TestWhatASyncerRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		message grpcsource.Message
		want    error
	}{
		"no JSON":               {grpcsource.Message{Document: "\x00\xff", Time: 2000}, specsync.ErrMalformed},
		"nothing":               {grpcsource.Message{Document: "", Time: 2000}, specsync.ErrMalformed},
		"a document cut off":    {grpcsource.Message{Document: document(2000).Document[:200], Time: 2000}, specsync.ErrMalformed},
		"another SDK key's one": {grpcsource.Message{Document: `{"hashed_sdk_key_used":"1",` + document(2000).Document[1:], Time: 2000}, specsync.ErrWrongProject},
		"one that is older":     {grpcsource.Message{Document: document(500).Document, Time: 2000}, specsync.ErrOutdated},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := &script{streams: [][]grpcsource.Message{nil}, lasting: make(chan grpcsource.Message)}
				source := newSource(t, "proxy:50051", nil)
				source.Use(stream.fake())
				s := runSyncer(t, source)
				stream.lasting <- document(1000)
				s.await(ofTime(1000))
				stream.lasting <- tc.message
				state := s.await(func(s specsync.State) bool { return s.Err != nil })
				if !errors.Is(state.Err, tc.want) || !ofTime(1000)(state) {
					t.Errorf("the state is %v with snapshot %v, want %v and the last good one", state.Err, state.Snapshot.Time(), tc.want)
				}
				stream.lasting <- document(3000)
				if state = s.await(ofTime(3000)); state.Err != nil {
					t.Errorf("the error stays: %v", state.Err)
				}
			})
		})
	}
}

func TestTheNextSourceHasItsTurn(t *testing.T) {
	p := newProxy(t, document(1000), nil)
	wrong := newSource(t, p.Address(), func(o *grpcsource.Options) { o.Key = newKey("secret-of-somebody-else") })
	next := specsync.NewSource("Next", "next", func(context.Context, specsync.Have) (specsync.Answer, error) {
		return specsync.Answer{Document: []byte(document(700).Document), Origin: specsync.OriginNetwork}, nil
	})
	state := runSyncer(t, wrong, next).await(ofTime(700))
	if state.SourceName != "Next" || !errors.Is(state.Skipped, specsync.ErrUnauthorized) {
		t.Errorf("source %q serves, skipped %v; want Next, because the key is refused", state.SourceName, state.Skipped)
	}
}
