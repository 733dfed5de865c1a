package events

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestChecksAreSentLikeTheOfficialSDKs(t *testing.T) {
	e := checksEvent(map[string]int64{"test_50_50": 1, `"odd"`: 2, "layer": 3}, testEpoch)
	got := appendCustomEvent(nil, &e, time.UnixMilli(7))
	want := `{"eventName":"statsig::non_exposed_checks","value":null,"metadata":{"checks":"{\"\\\"odd\\\"\":2,\"layer\":3,\"test_50_50\":1}"},
		"statsigMetadata":null,"user":{},"time":7,"secondaryExposures":null}`
	if diff := cmp.Diff(decodeJSON(t, []byte(want)), decodeJSON(t, got)); diff != "" {
		t.Errorf("event differs (-want +got):\n%s", diff)
	}
}

func TestChecksAreSentWithTheNextBatch(t *testing.T) {
	tests := map[string]struct {
		use  func(t *testing.T, l *Logger)
		want []map[string]int64
	}{
		"nothing is sent where nothing was counted": {use: func(*testing.T, *Logger) { time.Sleep(time.Hour) }},
		"the interval sends them": {
			use: func(_ *testing.T, l *Logger) {
				l.CountCheck("a")
				l.CountCheck("b")
				l.CountCheck("a")
				time.Sleep(time.Hour)
			},
			want: []map[string]int64{{"a": 2, "b": 1}},
		},
		"each interval begins anew": {
			use: func(_ *testing.T, l *Logger) {
				l.CountCheck("a")
				time.Sleep(time.Hour)
				l.CountCheck("a")
				time.Sleep(time.Hour)
			},
			want: []map[string]int64{{"a": 1}, {"a": 1}},
		},
		"a flush sends them": {
			use: func(t *testing.T, l *Logger) {
				l.CountCheck("a")
				if err := l.Flush(t.Context()); err != nil {
					t.Errorf("Flush: %v", err)
				}
				l.CountCheck("b")
				time.Sleep(time.Hour)
			},
			want: []map[string]int64{{"a": 1}, {"b": 1}},
		},
		"the end sends them": {use: func(_ *testing.T, l *Logger) { l.CountCheck("a") }, want: []map[string]int64{{"a": 1}}},
		"many names are sent early, and none is lost": {
			use: func(_ *testing.T, l *Logger) {
				for i := range 2*maxCheckNames + 1 {
					l.CountCheck(fmt.Sprintf("n%04d", i))
				}
			},
			want: []map[string]int64{numbered(0, maxCheckNames), numbered(maxCheckNames, maxCheckNames), numbered(2*maxCheckNames, 1)},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			events, stats := capture(t, Options{FlushInterval: time.Minute}, tc.use)
			var got []map[string]int64
			for _, e := range events {
				got = append(got, countsOf(t, e))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("counts differ (-want +got):\n%s", diff)
			}
			if stats.CheckNames != 0 {
				t.Errorf("%d names are left", stats.CheckNames)
			}
		})
	}
}

func TestADisabledLoggerCountsNoChecks(t *testing.T) {
	_, stats := capture(t, Options{Disabled: true}, func(_ *testing.T, l *Logger) { l.CountCheck("a") })
	if stats.CheckNames != 0 || len(stats.Dropped) != 0 {
		t.Errorf("stats: %+v", stats)
	}
}

func TestChecksCountedAtOnceAddUp(t *testing.T) {
	const callers, each = 8, 500
	events, _ := capture(t, Options{}, func(_ *testing.T, l *Logger) {
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for i := range each {
					l.CountCheck("shared")
					if i%100 == 0 {
						l.flushChecks()
					}
				}
			})
		}
		all.Wait()
		synctest.Wait()
	})
	var total int64
	for _, e := range events {
		total += countsOf(t, e)["shared"]
	}
	if total != callers*each {
		t.Errorf("%d checks were sent, want %d", total, callers*each)
	}
}

func numbered(from, n int) map[string]int64 {
	counts := map[string]int64{}
	for i := range n {
		counts[fmt.Sprintf("n%04d", from+i)] = 1
	}
	return counts
}

func countsOf(t *testing.T, event map[string]any) map[string]int64 {
	t.Helper()
	var counts map[string]int64
	if err := json.Unmarshal([]byte(event["metadata"].(map[string]any)["checks"].(string)), &counts); err != nil {
		t.Fatal(err)
	}
	return counts
}
