package proxyapi_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/mem"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/sync/grpcsource/proxyapi"
)

func TestMessagesOnTheWire(t *testing.T) {
	for name, tc := range map[string]struct{ got, want string }{
		"a request for all": {marshal(t, &proxyapi.Request{Key: secret.NewKey("key")}), "\x0a\x03key\x18\x02"},
		"a request for what is newer": {
			marshal(t, &proxyapi.Request{Key: secret.NewKey("key"), Since: 300}), "\x0a\x03key\x18\x02\x60\xac\x02",
		},
		"an answer": {marshal(t, &proxyapi.Response{Document: []byte("{}"), Time: 300}), "\x0a\x02{}\x10\xac\x02"},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAnswersAreRead(t *testing.T) {
	for name, tc := range map[string]struct {
		data    string
		want    proxyapi.Response
		wantErr bool
	}{
		"a document and its time":       {"\x0a\x02{}\x10\xac\x02", proxyapi.Response{Document: []byte("{}"), Time: 300}, false},
		"an empty message":              {"", proxyapi.Response{}, false},
		"fields of a later protocol":    {"\x0a\x02{}\x1a\x01x\x25abcd\x29abcdefgh\x30\x01", proxyapi.Response{Document: []byte("{}")}, false},
		"a time beyond all times":       {"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", proxyapi.Response{Time: 1 << 62}, false},
		"a document that is cut off":    {"\x0a\x05{}", proxyapi.Response{}, true},
		"a number that does not end":    {"\x10\xff", proxyapi.Response{}, true},
		"a field of no type":            {"\x0f", proxyapi.Response{}, true},
		"what is no message in any way": {"<html>", proxyapi.Response{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var got proxyapi.Response
			err := unmarshal([]byte(tc.data), &got)
			if (err != nil) != tc.wantErr {
				t.Fatalf("Unmarshal() = %v, want an error: %v", err, tc.wantErr)
			}
			if diff := cmp.Diff(tc.want, got); err == nil && diff != "" {
				t.Errorf("Unmarshal() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoMessage(t *testing.T) {
	if _, err := (proxyapi.Codec{}).Marshal("text"); err == nil {
		t.Error("Marshal() = nil, want an error")
	}
	if err := unmarshal(nil, "text"); err == nil {
		t.Error("Unmarshal() = nil, want an error")
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	data, err := proxyapi.Codec{}.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data.Materialize())
}

func unmarshal(data []byte, v any) error {
	return proxyapi.Codec{}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, v)
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("\x0a\x02{}\x10\xac\x02"))
	f.Add([]byte("\x0a\x05{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got proxyapi.Response
		if err := unmarshal(data, &got); err == nil && (len(got.Document) > len(data) || got.Time < 0) {
			t.Fatalf("%d bytes hold a document of %d, and the time %d", len(data), len(got.Document), got.Time)
		}
	})
}
