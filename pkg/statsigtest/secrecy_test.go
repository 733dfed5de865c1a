package statsigtest_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// TestKeysAreNeverShown drives every path that a key can come in by, and searches all that the server gives out.
func TestKeysAreNeverShown(t *testing.T) {
	// Keys of no known shape, accepted and not, so that only their registration can save them.
	const accepted, stranger = "accepted~key/with+signs", "stranger~key"
	var mu sync.Mutex
	var shown strings.Builder
	show := func(what any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(&shown, "%+v\n", what)
	}
	opts := statsigtest.Options{
		Keys:      []secret.Key{secret.NewKey(accepted)},
		OnRequest: func(r statsigtest.Request) { show(r); show(r.String()) },
	}
	show(opts.Keys)
	s := start(t, opts)
	for _, k := range []string{accepted, stranger} {
		header := eventHeaders(1)
		header["statsig-api-key"] = k
		urlKey := strings.NewReplacer("/", "%2F", "+", "%2B").Replace(k)
		for _, request := range [][3]string{
			{"GET", "/v2/download_config_specs/" + urlKey + ".json?sinceTime=1&again=" + urlKey, ""},
			{"GET", "/v1/get_id_lists/" + urlKey + ".json", ""},
			{"POST", "/v1/get_id_lists", ""},
			{"POST", "/v1/" + urlKey + "/elsewhere", ""},
			{"GET", "/v1/elsewhere/" + urlKey + "?k=" + urlKey, ""},
			{"POST", "/v1/log_event", batchOf(`{"eventName":"diagnostics","time":1,"metadata":{"url":"http://x/` + k + `.json"}}`)},
			{"POST", "/v1/log_event", batchOf(`{"eventName":"` + k + `","time":"` + k + `"}`)},
			{"POST", "/v1/log_event", k},
		} {
			show(mustDo(t, request[0], s.URL()+request[1], header, request[2]).body)
		}
		header["content-encoding"] = k
		show(mustDo(t, "POST", s.EventsURL(), header, "").body)
	}
	show(s.Requests())
	show(s.Events())
	show(mustDo(t, "GET", s.URL()+"/control/requests", nil, "").body)
	show(mustDo(t, "GET", s.URL()+"/control/events", nil, "").body)
	show(mustDo(t, "POST", s.URL()+"/control/gates/"+"accepted~key%2Fwith+signs?pass=true", nil, "").body)

	mu.Lock()
	defer mu.Unlock()
	text := shown.String()
	for _, k := range []string{accepted, "accepted~key%2Fwith", stranger} {
		if i := strings.Index(text, k); i >= 0 {
			t.Errorf("key %q is shown: …%s…", k, text[max(0, i-200):min(len(text), i+100)])
		}
	}
	if !strings.Contains(text, secret.NewKey(accepted).Fingerprint()) || !strings.Contains(text, secret.Redacted) {
		t.Error("neither fingerprint nor redaction is shown: the search looked at nothing")
	}
}
