package specsync

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestApplyRules feeds a syncer that holds {time 100, checksum a, gate first} one answer.
func TestApplyRules(t *testing.T) {
	const other = "secret-other0123456789"
	cases := map[string]struct {
		answer   string
		wantGate string
		wantErr  error
	}{
		"a newer time is applied":                               {answer: specs(101, "b", "second"), wantGate: "second"},
		"a newer time without a checksum is applied":            {answer: specs(101, "", "second"), wantGate: "second"},
		"the same time with another checksum is applied":        {answer: specs(100, "b", "second"), wantGate: "second"},
		"the same time without a checksum is applied":           {answer: specs(100, "", "second"), wantGate: "second"},
		"the same checksum is passed over":                      {answer: specs(100, "a", "second"), wantGate: "first"},
		"the same checksum is passed over though time is newer": {answer: specs(101, "a", "second"), wantGate: "first"},
		"an older time is passed over":                          {answer: specs(99, "b", "second"), wantGate: "first", wantErr: ErrOutdated},
		"an older time with the same checksum is passed over":   {answer: specs(99, "a", "second"), wantGate: "first", wantErr: ErrOutdated},
		"time 0 is older than any":                              {answer: specs(0, "b", "second"), wantGate: "first", wantErr: ErrOutdated},
		"no updates keeps what is held":                         {answer: noUpdates, wantGate: "first"},
		"the same document is passed over":                      {answer: specs(100, "a", "first"), wantGate: "first"},
		"a document for this key is applied":                    {answer: specsFor(testKey, 101, "b", "second"), wantGate: "second"},
		"a document for another key is refused":                 {answer: specsFor(other, 101, "b", "second"), wantGate: "first", wantErr: ErrWrongProject},
		"so it is when it would have been passed over":          {answer: specsFor(other, 100, "a", "second"), wantGate: "first", wantErr: ErrWrongProject},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &stub{handler: body(specs(100, "a", "first"))}
				s := newSyncer(t, server.options(t))
				run(t, s)
				first := s.State()
				if got := gateOf(t, first); got != "first" {
					t.Fatalf("at first: want gate first, got %q (%v)", got, first.Err)
				}
				server.serve(body(tc.answer))
				time.Sleep(DefaultInterval)
				synctest.Wait()
				got := s.State()
				wantError(t, got.Err, tc.wantErr)
				if gate := gateOf(t, got); gate != tc.wantGate {
					t.Errorf("want gate %s, got %s", tc.wantGate, gate)
				}
				if changed := got.Snapshot != first.Snapshot; changed != (tc.wantGate == "second") {
					t.Errorf("snapshot replaced: %v", changed)
				}
				if changed := got.LastChange != first.LastChange; changed != (tc.wantGate == "second") {
					t.Errorf("LastChange moved: %v", changed)
				}
				if confirmed := got.LastSuccess.After(first.LastSuccess); confirmed != (tc.wantErr == nil) {
					t.Errorf("LastSuccess moved: %v", confirmed)
				}
			})
		})
	}
}

func TestTheFirstAnswer(t *testing.T) {
	cases := map[string]struct {
		answer   string
		wantGate string
		wantErr  error
	}{
		"a document is applied":                       {answer: specs(100, "a", "first"), wantGate: "first"},
		"a document with time 0 is applied":           {answer: specs(0, "", "first"), wantGate: "first"},
		"no updates is a success without values":      {answer: noUpdates, wantErr: ErrNoSpecs},
		"a document of another project is refused":    {answer: specsFor("secret-other", 100, "a", "first"), wantErr: ErrWrongProject},
		"what is no document is refused":              {answer: "<html>", wantErr: ErrMalformed},
		"a document cut in the middle is refused":     {answer: specs(100, "a", "first")[:80], wantErr: ErrMalformed},
		"JSON of another shape is refused":            {answer: `{"has_updates":true}`, wantErr: ErrMalformed},
		"an empty body is refused":                    {answer: "", wantErr: ErrMalformed},
		"JSON that is no object is refused":           {answer: `[]`, wantErr: ErrMalformed},
		"a document without a usable time is refused": {answer: `{"has_updates":true,"time":"soon","feature_gates":{}}`, wantErr: ErrMalformed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSyncer(t, (&stub{handler: body(tc.answer)}).options(t))
				if s.State().Attempted {
					t.Error("attempted before it ran")
				}
				run(t, s)
				got := s.State()
				wantError(t, got.Err, tc.wantErr)
				if gate := gateOf(t, got); gate != tc.wantGate {
					t.Errorf("want gate %q, got %q", tc.wantGate, gate)
				}
				if !got.Attempted {
					t.Error("the first attempt is over, and Attempted is false")
				}
				wantFailures := 0
				if isFailure(tc.wantErr) {
					wantFailures = 1
				}
				if got.ConsecutiveFailures != wantFailures {
					t.Errorf("failures: want %d, got %d", wantFailures, got.ConsecutiveFailures)
				}
			})
		})
	}
}

func TestSnapshotsSayWhereAndWhenTheyCameFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		s := newSyncer(t, (&stub{handler: body(specs(100, "a", "first"))}).options(t))
		run(t, s)
		origin := s.State().Snapshot.Origin()
		if origin.Source != OriginNetwork || !origin.ReceivedAt.Equal(begun) {
			t.Errorf("want %s at %s, got %+v", OriginNetwork, begun, origin)
		}
		if got := s.State().SourceName; got != "HTTP" {
			t.Errorf("source: want HTTP, got %q", got)
		}
	})
}
