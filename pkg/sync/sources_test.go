package specsync

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSourcesAreAskedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stub{handler: status(401)}
		o := server.options(t)
		var asked atomic.Int32
		o.Sources = append(o.Sources, NewSource("ConfigMap", "ns/name", func(context.Context, Have) (Answer, error) {
			asked.Add(1)
			return Answer{Document: []byte(specs(100, "a", "kept")), Origin: OriginBootstrap}, nil
		}))
		s := newSyncer(t, o)
		run(t, s)
		got := s.State()
		if gateOf(t, got) != "kept" || got.SourceName != "ConfigMap" || got.Err != nil || got.ConsecutiveFailures != 0 {
			t.Errorf("want the second source to serve, got %+v", got)
		}
		wantError(t, got.Skipped, ErrUnauthorized)

		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(server.seen()); n < 4 || n > 12 {
			t.Errorf("want the failing source asked now and then, it was %d times", n)
		}
		if n := asked.Load(); n != 61 {
			t.Errorf("want the serving source asked at every interval, it was %d times", n)
		}

		before := asked.Load()
		server.serve(body(specs(200, "b", "first")))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		got = s.State()
		if gateOf(t, got) != "first" || got.SourceName != "HTTP" || got.Skipped != nil {
			t.Errorf("want the first source back, got %+v", got)
		}
		if asked.Load() == before+60 {
			t.Error("the second source is still asked")
		}
	})
}

func TestASourceWithoutSpecsGivesWayToTheNext(t *testing.T) {
	for name, answer := range map[string]string{
		"no updates at first":         noUpdates,
		"a document that is no use":   "{",
		"a document for another key":  specsFor("secret-other", 300, "x", "other"),
		"no document but an envelope": `{"success":false}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := (&stub{handler: body(answer)}).options(t)
				o.Sources = append(o.Sources, NewSource("File", "x", func(context.Context, Have) (Answer, error) {
					return Answer{Document: []byte(specs(100, "a", "kept"))}, nil
				}))
				s := newSyncer(t, o)
				run(t, s)
				if got := s.State(); gateOf(t, got) != "kept" || got.Err != nil || got.Skipped == nil {
					t.Errorf("got %+v", got)
				}
			})
		})
	}
}

func TestErrorsOfAllSourcesStandInOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := (&stub{handler: status(403)}).options(t)
		o.Sources = append(o.Sources, NewSource("ConfigMap", "x", func(context.Context, Have) (Answer, error) {
			return Answer{}, errors.New("there is none")
		}))
		s := newSyncer(t, o)
		run(t, s)
		err := s.State().Err
		wantError(t, err, ErrUnauthorized)
		const want = "fetching config specs from HTTP: asking http://specs.test: the server answered 403 Forbidden; " +
			"fetching config specs from ConfigMap: there is none"
		if err.Error() != want {
			t.Errorf("want %q, got %q", want, err)
		}
	})
}

// TestSourcesNeedNotRepeatThemselves counts the polls in which a source is told the version of what it gave before.
func TestSourcesNeedNotRepeatThemselves(t *testing.T) {
	cases := map[string]struct {
		document string
		wantErr  error
	}{
		"an applied document":   {document: specs(100, "a", "first")},
		"a refused document":    {document: "{", wantErr: ErrMalformed},
		"a document of no news": {document: noUpdates, wantErr: ErrNoSpecs},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var versions []string
				source := NewSource("ConfigMap", "x", func(_ context.Context, have Have) (Answer, error) {
					versions = append(versions, have.Version)
					if have.Version == "7" {
						return Answer{NotModified: true, Version: "7"}, nil
					}
					return Answer{Document: []byte(tc.document), Version: "7"}, nil
				})
				s := newSyncer(t, Options{Sources: []Source{source}})
				run(t, s)
				first := s.State()
				time.Sleep(2 * DefaultInterval)
				synctest.Wait()
				if diff := cmp.Diff([]string{"", "7"}, versions[:2]); diff != "" {
					t.Errorf("versions (-want +got):\n%s", diff)
				}
				got := s.State()
				wantError(t, got.Err, tc.wantErr)
				if got.Snapshot != first.Snapshot {
					t.Error("the snapshot was replaced")
				}
				if tc.wantErr == nil && !got.LastSuccess.After(first.LastSuccess) {
					t.Error("the snapshot was not confirmed")
				}
			})
		})
	}
}

// TestVersionsAreForgottenWithTheSnapshot lets a second source bring another snapshot: the first one's document must
// be judged against that, so the first source must not be told that it is known.
func TestVersionsAreForgottenWithTheSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails atomic.Bool
		var versions []string
		first := NewSource("first", "x", func(_ context.Context, have Have) (Answer, error) {
			if fails.Load() {
				return Answer{}, errors.New("gone")
			}
			versions = append(versions, have.Version)
			return Answer{Document: []byte(specs(100, "a", "first")), Version: "1"}, nil
		})
		second := NewSource("second", "x", func(context.Context, Have) (Answer, error) {
			return Answer{Document: []byte(specs(100, "b", "second"))}, nil
		})
		s := newSyncer(t, Options{Sources: []Source{first, second}})
		run(t, s)
		fails.Store(true)
		time.Sleep(DefaultInterval)
		synctest.Wait()
		if got := gateOf(t, s.State()); got != "second" {
			t.Fatalf("want the second source's gate, got %q", got)
		}
		fails.Store(false)
		time.Sleep(3 * DefaultInterval)
		synctest.Wait()
		if got := gateOf(t, s.State()); got != "first" {
			t.Errorf("want the first source's gate back, got %q", got)
		}
		if diff := cmp.Diff([]string{"", ""}, versions[:2]); diff != "" {
			t.Errorf("versions (-want +got):\n%s", diff)
		}
	})
}

func TestASourceWithoutAMemoryMayKnowWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := NewSource("proxy", "x", func(_ context.Context, have Have) (Answer, error) {
			switch have.Time {
			case 0:
				return Answer{Document: []byte(specs(100, "a", "first"))}, nil
			default:
				return Answer{NotModified: true}, nil
			}
		})
		s := newSyncer(t, Options{Sources: []Source{source}})
		run(t, s)
		time.Sleep(DefaultInterval)
		synctest.Wait()
		if got := s.State(); gateOf(t, got) != "first" || got.Err != nil || time.Since(got.LastSuccess) != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestNotModifiedWithNothingHeldIsNoSpecs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := NewSource("proxy", "x", func(context.Context, Have) (Answer, error) { return Answer{NotModified: true}, nil })
		s := newSyncer(t, Options{Sources: []Source{source}})
		run(t, s)
		wantError(t, s.State().Err, ErrNoSpecs)
	})
}

func TestWithoutAKeyAnyDocumentIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := NewSource("File", "x", func(context.Context, Have) (Answer, error) {
			return Answer{Document: []byte(specsFor("secret-other", 100, "a", "first"))}, nil
		})
		s := newSyncer(t, Options{Sources: []Source{source}})
		run(t, s)
		if got := gateOf(t, s.State()); got != "first" {
			t.Errorf("got %+v", s.State())
		}
	})
}
