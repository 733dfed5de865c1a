package statsigpb_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/sync/statsigpb"
)

func TestWhichAnswersAreProtobuf(t *testing.T) {
	for name, tc := range map[string]struct {
		contentType, contentEncoding string
		want                         bool
	}{
		"both headers say so":                {"application/octet-stream", "statsig-br", true},
		"both headers, with more":            {"Application/Octet-Stream; charset=x", "Statsig-BR", true},
		"JSON under the content encoding":    {"application/json", "statsig-br", false},
		"bytes under another one":            {"application/octet-stream", "br", false},
		"no headers":                         {"", "", false},
		"only the content encoding is given": {"", "statsig-br", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{"Content-Type": {tc.contentType}, "Content-Encoding": {tc.contentEncoding}}
			if got := statsigpb.Is(h); got != tc.want {
				t.Errorf("Is() = %v, want %v", got, tc.want)
			}
		})
	}
}

// exchangeRead has e read a stream that is good.
func exchangeRead(t *testing.T, e *statsigpb.Exchange, envelopes ...[]byte) *statsigpb.Document {
	t.Helper()
	d, err := e.Read(bytes.NewReader(compressed(stream(envelopes...))), limit)
	if err != nil {
		t.Fatalf("Read() = %v", err)
	}
	return d
}

func wantQuery(t *testing.T, e *statsigpb.Exchange, time int64, checksum, want string) {
	t.Helper()
	if diff := cmp.Diff(want, e.Query(time, checksum).Encode()); diff != "" {
		t.Errorf("Query(%d, %q) (-want +got):\n%s", time, checksum, diff)
	}
}

func TestAnExchangeWithoutDeltas(t *testing.T) {
	var e statsigpb.Exchange
	wantQuery(t, &e, 0, "", "supports_proto=true")
	exchangeRead(t, &e, top())
	wantQuery(t, &e, 1000, "c1", "checksum=c1&sinceTime=1000&supports_proto=true")
	if _, err := e.Read(bytes.NewReader(compressed(stream(envelope(copyPrevious, "", "", nil)))), limit); !errors.Is(err, statsigpb.ErrDelta) {
		t.Errorf("Read() of a delta that was not asked for = %v, want ErrDelta", err)
	}
	wantQuery(t, &e, 1000, "c1", "supports_proto=true")
}

func TestAnExchangeAsksForDeltasOfTheDocumentItHolds(t *testing.T) {
	e := statsigpb.NewExchange(true)
	wantQuery(t, e, 0, "", "supports_proto=true")
	wantQuery(t, e, 1000, "c1", "checksum=c1&sinceTime=1000&supports_proto=true")
	exchangeRead(t, e, top())
	wantQuery(t, e, 1000, "c1", "accept_deltas=true&checksum=c1&sinceTime=1000&supports_proto=true")
	// The asker got its document elsewhere.
	wantQuery(t, e, 1000, "c2", "checksum=c2&sinceTime=1000&supports_proto=true")
	wantQuery(t, e, 999, "c1", "checksum=c1&sinceTime=999&supports_proto=true")
	d := exchangeRead(t, e, envelope(copyPrevious, "", "", nil), topAt(2000, "c2", `{"experiment_to_layer":{}}`))
	if !d.Delta {
		t.Error("the answer is not taken for a delta")
	}
	wantQuery(t, e, 2000, "c2", "accept_deltas=true&checksum=c2&sinceTime=2000&supports_proto=true")
}

func TestWhatEndsTheSuspensionOfDeltas(t *testing.T) {
	const suspended, resumed = "supports_proto=true", "accept_deltas=true&checksum=c1&sinceTime=1000&supports_proto=true"
	for name, tc := range map[string]struct {
		then func(t *testing.T, e *statsigpb.Exchange)
		want string
	}{
		"a whole document":          {func(t *testing.T, e *statsigpb.Exchange) { exchangeRead(t, e, top()) }, resumed},
		"an answer in another form": {func(_ *testing.T, e *statsigpb.Exchange) { e.Plain() }, resumed},
		"a connection that breaks ends nothing": {
			func(t *testing.T, e *statsigpb.Exchange) {
				if _, err := e.Read(iotest.ErrReader(io.ErrUnexpectedEOF), limit); err == nil {
					t.Error("Read() = nil, want an error")
				}
			}, suspended,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := statsigpb.NewExchange(true)
			exchangeRead(t, e, top())
			refused := compressed(stream(envelope(copyPrevious, "", "", nil), envelope(gate, "g", "1", nil)))
			if _, err := e.Read(bytes.NewReader(refused), limit); !errors.Is(err, statsigpb.ErrDelta) || !errors.Is(err, eval.ErrMalformed) {
				t.Fatalf("Read() = %v, want ErrDelta", err)
			}
			wantQuery(t, e, 1000, "c1", suspended)
			tc.then(t, e)
			wantQuery(t, e, 1000, "c1", tc.want)
		})
	}
}

func TestAConnectionThatBreaksSuspendsNothing(t *testing.T) {
	e := statsigpb.NewExchange(true)
	exchangeRead(t, e, top())
	if _, err := e.Read(iotest.ErrReader(io.ErrClosedPipe), limit); !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("Read() = %v, want the error of the connection", err)
	}
	wantQuery(t, e, 1000, "c1", "accept_deltas=true&checksum=c1&sinceTime=1000&supports_proto=true")
}

func TestDeltasWithoutProgressEndInAWholeDocument(t *testing.T) {
	e := statsigpb.NewExchange(true)
	exchangeRead(t, e, top())
	for range 10 {
		wantQuery(t, e, 1000, "c1", "accept_deltas=true&checksum=c1&sinceTime=1000&supports_proto=true")
		exchangeRead(t, e, envelope(copyPrevious, "", "", nil))
	}
	wantQuery(t, e, 1000, "c1", "supports_proto=true")
	exchangeRead(t, e, top())
	wantQuery(t, e, 1000, "c1", "accept_deltas=true&checksum=c1&sinceTime=1000&supports_proto=true")
}
