package grpcsource_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource"
)

var errDown = status.Error(codes.Unavailable, "connection refused")

// script is a proxy whose streams are told one by one, and which notes when each is opened.
type script struct {
	begun  time.Time
	opened []time.Duration
	// streams hold what each one brings before it ends; those behind the last are refused.
	streams [][]grpcsource.Message
	// lasting is how long the last of them stays open; the others end at once.
	lasting chan grpcsource.Message
	answer  func(since int64) (grpcsource.Message, error)
}

func (s *script) fake() grpcsource.FakeProxy {
	s.begun = time.Now()
	return grpcsource.FakeProxy{
		Stream: func(int64) (<-chan grpcsource.Message, error) {
			s.opened = append(s.opened, time.Since(s.begun))
			n := len(s.opened) - 1
			if n >= len(s.streams) {
				return nil, errDown
			}
			if s.lasting != nil && n == len(s.streams)-1 {
				return s.lasting, nil
			}
			messages := make(chan grpcsource.Message, len(s.streams[n]))
			for _, m := range s.streams[n] {
				messages <- m
			}
			close(messages)
			return messages, nil
		},
		Ask: func(since int64) (grpcsource.Message, error) {
			if s.answer == nil {
				return grpcsource.Message{}, errDown
			}
			return s.answer(since)
		},
	}
}

// scripted returns a source for s with the times of the official SDK, and runs its Watch until the test ends.
func scripted(t *testing.T, s *script, jitter float64, change func(*grpcsource.Options)) (*grpcsource.Source, *int) {
	t.Helper()
	source := newSource(t, "proxy:50051", func(o *grpcsource.Options) {
		o.MinBackoff, o.MaxBackoff = 0, 0
		if change != nil {
			change(o)
		}
	})
	source.SetJitter(jitter)
	source.Use(s.fake())
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	changes := new(int)
	go func() { _ = source.Watch(ctx, func() { *changes++ }) }()
	synctest.Wait()
	return source, changes
}

// pass lets time go by, and all that is due in it happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func seconds(n ...float64) []time.Duration {
	all := make([]time.Duration, len(n))
	for i, s := range n {
		all[i] = time.Duration(s * float64(time.Second))
	}
	return all
}

func TestNoStreamIsOpenedBeforeTheFirstFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		scripted(t, s, 1, nil)
		pass(time.Hour)
		if len(s.opened) > 0 {
			t.Errorf("streams were opened at %v, want none", s.opened)
		}
	})
}

func TestTheWaitBetweenStreamsDoublesUpToAMinute(t *testing.T) {
	for name, tc := range map[string]struct {
		jitter float64
		want   []time.Duration
	}{
		"at the longest":  {1, seconds(0, 3, 9, 21, 45, 93, 153, 213)},
		"at the shortest": {0, seconds(0, 1.5, 4.5, 10.5, 22.5, 46.5, 76.5, 106.5, 136.5, 166.5, 196.5)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				source, _ := scripted(t, s, tc.jitter, nil)
				_, _ = source.Fetch(t.Context(), specsync.Have{})
				pass(220 * time.Second)
				if diff := cmp.Diff(tc.want, s.opened); diff != "" {
					t.Errorf("streams (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAStreamThatAnsweredStartsTheWaitAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{streams: [][]grpcsource.Message{{}, {}, {document(1000)}}}
		source, _ := scripted(t, s, 1, nil)
		_, _ = source.Fetch(t.Context(), specsync.Have{})
		pass(22 * time.Second)
		// The third one, at 9 seconds, brings a document and ends.
		if diff := cmp.Diff(seconds(0, 3, 9, 12, 18), s.opened); diff != "" {
			t.Errorf("streams (-want +got):\n%s", diff)
		}
	})
}

func TestWatchGivesUpAtItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newSource(t, "proxy:50051", func(o *grpcsource.Options) { o.RetryLimit = 3 })
		s := &script{}
		source.Use(s.fake())
		_, _ = source.Fetch(t.Context(), specsync.Have{})
		if err := source.Watch(t.Context(), func() {}); err == nil {
			t.Error("Watch() = nil, want an error")
		}
		if len(s.opened) != 4 {
			t.Errorf("%d streams were opened, want 4", len(s.opened))
		}
	})
}

func TestSilenceEndsAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{streams: [][]grpcsource.Message{nil}, lasting: make(chan grpcsource.Message)}
		source, changes := scripted(t, s, 1, nil)
		go func() {
			// The first message comes late, the signs of life after it in time, until they end.
			for range 4 {
				time.Sleep(80 * time.Second)
				s.lasting <- grpcsource.Message{Document: noUpdates, Time: 1000}
			}
		}()
		_, _ = source.Fetch(t.Context(), specsync.Have{Time: 1000})
		pass(10 * time.Minute)
		if len(s.opened) < 2 || s.opened[1] != 4*80*time.Second+grpcsource.DefaultMaxSilence+grpcsource.DefaultMinBackoff {
			t.Errorf("streams were opened at %v, want the second one %s after the last sign of life", s.opened, grpcsource.DefaultMaxSilence)
		}
		if *changes != 0 {
			t.Errorf("%d changes were told, want none", *changes)
		}
	})
}

func TestWhatStandsInForAnAnswer(t *testing.T) {
	denied := status.Error(codes.PermissionDenied, "Unauthorized")
	for name, tc := range map[string]struct {
		streams [][]grpcsource.Message
		answer  error
		after   time.Duration
		have    specsync.Have
		wantErr error // nil for not modified
	}{
		"for a while, to one who has all of it":  {[][]grpcsource.Message{{document(1000)}}, errDown, 29 * time.Second, specsync.Have{Time: 1000}, nil},
		"not for longer":                         {[][]grpcsource.Message{{document(1000)}}, errDown, 31 * time.Second, specsync.Have{Time: 1000}, errAny},
		"not to one who lacks something":         {[][]grpcsource.Message{{document(1000)}}, errDown, time.Second, specsync.Have{Time: 999}, errAny},
		"not to one who has nothing":             {[][]grpcsource.Message{{document(1000)}}, errDown, time.Second, specsync.Have{}, errAny},
		"not before the proxy was ever reached":  {nil, errDown, time.Second, specsync.Have{Time: 1000}, errAny},
		"not when the proxy refuses the SDK key": {[][]grpcsource.Message{{document(1000)}}, denied, time.Second, specsync.Have{Time: 1000}, specsync.ErrUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{streams: tc.streams, answer: func(int64) (grpcsource.Message, error) { return grpcsource.Message{}, tc.answer }}
				source, _ := scripted(t, s, 1, nil)
				_, _ = source.Fetch(t.Context(), tc.have)
				pass(tc.after)
				answer, err := source.Fetch(t.Context(), tc.have)
				switch {
				case tc.wantErr == nil && (err != nil || !answer.NotModified):
					t.Errorf("Fetch() = %+v, %v; want not modified", answer, err)
				case tc.wantErr != nil && (err == nil || !errors.Is(errors.Join(err, errAny), tc.wantErr)):
					t.Errorf("Fetch() = %+v, %v; want an error", answer, err)
				}
			})
		})
	}
}

// errAny stands for any error.
var errAny = errors.New("any error")

func TestWhatTheAskerHolds(t *testing.T) {
	for name, tc := range map[string]struct {
		have        specsync.Have
		wantChanged bool // the document of the stream, otherwise not modified
		wantAsked   bool
	}{
		"the document of the stream":              {specsync.Have{Time: 1000, Version: "1"}, false, false},
		"the same document from elsewhere":        {specsync.Have{Time: 1000}, false, false},
		"a newer document from elsewhere":         {specsync.Have{Time: 2000}, false, false},
		"an older one: the proxy is asked":        {specsync.Have{Time: 500}, true, true},
		"nothing any more: the proxy is asked":    {specsync.Have{}, true, true},
		"what another run of this source brought": {specsync.Have{Time: 1000, Version: "7"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				s := &script{
					streams: [][]grpcsource.Message{nil}, lasting: make(chan grpcsource.Message, 1),
					answer: func(int64) (grpcsource.Message, error) { asked++; return document(1000), nil },
				}
				s.lasting <- document(1000)
				source, changes := scripted(t, s, 1, nil)
				fetch(t, source, specsync.Have{})
				fetch(t, source, specsync.Have{Time: 1000, Version: "1"})
				answer := fetch(t, source, tc.have)
				synctest.Wait()
				if answer.NotModified == tc.wantChanged || (asked > 0) != tc.wantAsked || *changes != 1 {
					t.Errorf("Fetch() = %+v after %d questions and %d changes", answer, asked, *changes)
				}
			})
		})
	}
}
