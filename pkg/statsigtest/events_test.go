package statsigtest_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

const (
	gateExposure = `{"eventName":"statsig::gate_exposure","value":null,"metadata":{"gate":"checkout_upsell",` +
		`"gateValue":"true","ruleID":"r1","reason":"Network:Recognized"},"statsigMetadata":{},` +
		`"user":{"userID":"shop/checkout","customIDs":{"podID":"p"}},"time":1767225600123,` +
		`"secondaryExposures":[{"gate":"new_checkout","gateValue":"true","ruleID":"r2"}]}`
	purchase = `{"eventName":"purchase","value":12.5,"metadata":{"n":1,"deep":{"a":null}},"user":{},"time":7,"secondaryExposures":null}`
)

func batchOf(events ...string) string {
	return `{"events":[` + strings.Join(events, ",") + `],"statsigMetadata":{"sdkType":"go-test","sdkVersion":"1.2.3"}}`
}

func eventHeaders(count int) map[string]string {
	return map[string]string{
		"statsig-api-key":     key,
		"statsig-sdk-type":    "go-test",
		"statsig-sdk-version": "1.2.3",
		"statsig-client-time": "1767225600124",
		"statsig-event-count": strconv.Itoa(count),
		"content-type":        "application/json",
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

func zstandard(t *testing.T, text string) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatalf("making a compressor: %v", err)
	}
	return string(z.EncodeAll([]byte(text), nil))
}

func TestEventsArriveInEveryEncoding(t *testing.T) {
	body := batchOf(gateExposure, purchase)
	for encoding, sent := range map[string]string{
		"": body, "identity": body, "gzip": gzipped(body), "zstd": zstandard(t, body),
	} {
		s := start(t, statsigtest.Options{})
		header := eventHeaders(2)
		header["content-encoding"] = encoding
		got := mustDo(t, "POST", s.EventsURL(), header, sent)
		if got.status != http.StatusAccepted || got.body != `{"success":true}` {
			t.Errorf("encoding %q: answer %d %s", encoding, got.status, got.body)
		}
		fingerprint := s.Requests()[0].Key
		want := []statsigtest.Event{{
			Number: 1, Name: "statsig::gate_exposure",
			Metadata: map[string]string{"gate": "checkout_upsell", "gateValue": "true", "ruleID": "r1", "reason": "Network:Recognized"},
			UserID:   "shop/checkout", CustomIDs: map[string]string{"podID": "p"}, Time: 1767225600123,
			SecondaryExposures: []eval.SecondaryExposure{{Gate: "new_checkout", GateValue: "true", RuleID: "r2"}},
			Key:                fingerprint, SDKType: "go-test", SDKVersion: "1.2.3", Raw: json.RawMessage(gateExposure),
		}, {
			Number: 2, Name: "purchase", Value: "12.5", Metadata: map[string]string{"n": "1", "deep": `{"a":null}`}, Time: 7,
			Key: fingerprint, SDKType: "go-test", SDKVersion: "1.2.3", Raw: json.RawMessage(purchase),
		}}
		if diff := cmp.Diff(want, s.Events()); diff != "" {
			t.Errorf("encoding %q: events (-want +got):\n%s", encoding, diff)
		}
	}
}

func TestEventsThatAreRefused(t *testing.T) {
	edit := func(old, by string) string { return batchOf(strings.Replace(gateExposure, old, by, 1)) }
	tests := map[string]struct {
		header     map[string]string // over the usual ones; "" takes one away
		body       string
		wantStatus int
		wantError  string
	}{
		"no key":                    {map[string]string{"statsig-api-key": ""}, batchOf(gateExposure), 401, "no SDK key"},
		"another content type":      {map[string]string{"content-type": "text/plain"}, batchOf(gateExposure), 415, "content-type"},
		"an encoding nobody speaks": {map[string]string{"content-encoding": "br"}, batchOf(gateExposure), 415, "content-encoding"},
		"no SDK type":               {map[string]string{"statsig-sdk-type": ""}, batchOf(gateExposure), 400, "statsig-sdk-type"},
		"no SDK version":            {map[string]string{"statsig-sdk-version": ""}, batchOf(gateExposure), 400, "statsig-sdk-version"},
		"no client time":            {map[string]string{"statsig-client-time": ""}, batchOf(gateExposure), 400, "statsig-client-time"},
		"a retry count in words":    {map[string]string{"statsig-retry-count": "two"}, batchOf(gateExposure), 400, "statsig-retry-count"},
		"a wrong event count":       {map[string]string{"statsig-event-count": "3"}, batchOf(gateExposure), 400, "holds 1 events"},
		"gzip that is none":         {map[string]string{"content-encoding": "gzip"}, "{}", 400, "decompressing"},
		"gzip cut short":            {map[string]string{"content-encoding": "gzip"}, gzipped(batchOf(gateExposure))[:60], 400, "decompressing"},
		"zstd that is none":         {map[string]string{"content-encoding": "zstd"}, "{}", 400, "decompressing"},
		"no JSON":                   {nil, "{", 400, "not JSON"},
		"no events":                 {nil, `{"statsigMetadata":{}}`, 400, "no list of events"},
		"no SDK in the body":        {nil, `{"events":[]}`, 400, "statsigMetadata"},
		"an event without a name":   {nil, edit(`"eventName":"statsig::gate_exposure",`, ""), 400, "event 0: eventName"},
		"an event without a time":   {nil, edit(`"time":1767225600123`, `"time":"now"`), 400, "event 0: time"},
		"a user that is a string":   {nil, edit(`"user":{"userID":"shop/checkout","customIDs":{"podID":"p"}}`, `"user":"x"`), 400, "user"},
		"private attributes":        {nil, edit(`"customIDs"`, `"privateAttributes"`), 400, "privateAttributes"},
		"secondary exposures cut":   {nil, edit(`,"ruleID":"r2"`, ``), 400, "secondary exposure"},
		"secondary exposures apart": {nil, edit(`"secondaryExposures":[`, `"secondaryExposures":7,"x":[`), 400, "secondaryExposures"},
		"a gate without a value":    {nil, edit(`"gateValue":"true",`, ``), 400, "gateValue"},
		"a layer without its parameter": {
			nil, edit("gate_exposure", "layer_exposure"), 400, "lacks the metadata config",
		},
		"one bad event among good ones": {nil, batchOf(purchase, `{"eventName":""}`), 400, "event 1"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := start(t, statsigtest.Options{})
			header := eventHeaders(1)
			if strings.Contains(tc.body, "purchase") {
				header = eventHeaders(2)
			}
			maps.Copy(header, tc.header)
			got := mustDo(t, "POST", s.EventsURL(), header, tc.body)
			if got.status != tc.wantStatus {
				t.Errorf("status = %d, want %d", got.status, tc.wantStatus)
			}
			if reason := gjson.Get(got.body, "error").String(); !strings.Contains(reason, tc.wantError) {
				t.Errorf("answer is %s, want its error to contain %q", got.body, tc.wantError)
			}
			if gjson.Get(got.body, "success").Raw != "false" {
				t.Errorf("answer %s lacks success:false", got.body)
			}
			if n := len(s.Events()); n != 0 {
				t.Errorf("%d events of a refused batch were kept", n)
			}
		})
	}
}

func TestOldestEventsMakeRoom(t *testing.T) {
	s := start(t, statsigtest.Options{MaxEvents: 3})
	for range 2 {
		mustDo(t, "POST", s.EventsURL(), eventHeaders(2), batchOf(gateExposure, purchase))
	}
	var numbers []int
	for _, e := range s.Events() {
		numbers = append(numbers, e.Number)
	}
	if diff := cmp.Diff([]int{2, 3, 4}, numbers); diff != "" {
		t.Errorf("events kept (-want +got):\n%s", diff)
	}
	s.DiscardEvents()
	mustDo(t, "POST", s.EventsURL(), eventHeaders(1), batchOf(purchase))
	if got := s.Events(); len(got) != 1 || got[0].Number != 5 {
		t.Errorf("after discarding, events are %+v, want one with number 5", got)
	}
}

// TestRecordedBatchesAreAccepted sends what the official SDKs sent.
func TestRecordedBatchesAreAccepted(t *testing.T) {
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		t.Skip("CONFORMANCE_DIR is unset: the recorded traffic is not part of this repository")
	}
	files, err := filepath.Glob(filepath.Join(dir, "transcripts", "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts in %s: %v", dir, err)
	}
	sent := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, statsigtest.Options{})
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, 1<<24)
		for lines.Scan() {
			recorded := gjson.ParseBytes(lines.Bytes())
			if !strings.HasSuffix(recorded.Get("path").String(), "/log_event") {
				continue
			}
			sent++
			header := map[string]string{}
			for _, h := range recorded.Get("headers").Array() {
				switch name := strings.ToLower(h.Get("0").String()); name {
				case "content-length", "host", "content-encoding": // the recording holds the plain body
				default:
					header[name] = h.Get("1").String()
				}
			}
			before := len(s.Events())
			got := mustDo(t, "POST", s.URL()+recorded.Get("path").String(), header, recorded.Get("body").Raw)
			if got.status != http.StatusAccepted {
				t.Errorf("%s: answer %d %s", filepath.Base(file), got.status, got.body)
			}
			if n := len(s.Events()) - before; n != int(recorded.Get("body.events.#").Int()) {
				t.Errorf("%s: %d events kept of %s", filepath.Base(file), n, recorded.Get("body.events.#"))
			}
		}
		for _, e := range s.Events() {
			if strings.Contains(string(e.Raw), "secret-oracle") {
				t.Errorf("%s: event %d of %s shows the SDK key", filepath.Base(file), e.Number, e.Name)
			}
		}
	}
	if sent == 0 {
		t.Error("the transcripts hold no batch")
	}
}
