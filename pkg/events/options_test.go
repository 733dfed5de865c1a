package events

import (
	"strings"
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

func TestNewRefusesBadOptions(t *testing.T) {
	key := secret.NewKey("secret-optionstest")
	tests := map[string]struct {
		options Options
		want    string // part of the error; empty when the options are good
	}{
		"a key is enough": {options: Options{SDKKey: key}},
		"no key is needed when events are disabled": {options: Options{Disabled: true}},
		"a missing clock is an error":               {options: Options{SDKKey: key}, want: "clock"},
		"a missing key is an error":                 {options: Options{}, want: "SDK key"},
		"a URL without host is an error":            {options: Options{SDKKey: key, URL: "https:///v1/log_event"}, want: "URL"},
		"a URL of another scheme is an error":       {options: Options{SDKKey: key, URL: "ftp://host/x"}, want: "URL"},
		"a URL is never quoted":                     {options: Options{SDKKey: key, URL: "https://u:hunter2@bad host/"}, want: "URL"},
		"Statsig takes at most 2000 events":         {options: Options{SDKKey: key, BatchSize: 2001}, want: "BatchSize"},
		"a negative bound is an error":              {options: Options{SDKKey: key, MaxPendingBatches: -1}, want: "MaxPendingBatches"},
		"a negative interval is an error":           {options: Options{SDKKey: key, FlushInterval: -time.Second}, want: "FlushInterval"},
		"the queue has to be bounded":               {options: Options{SDKKey: key, MaxQueueBytes: 2 << 30}, want: "MaxQueueBytes"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.want != "clock" {
				tc.options.Now = time.Now
			}
			_, err := New(tc.options)
			if tc.want == "" {
				if err != nil {
					t.Fatalf("New: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error = %v, want one about %q", err, tc.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error quotes the URL: %v", err)
			}
		})
	}
}

// mustOptions fills in a key and checks the options.
func mustOptions(tb testing.TB, o Options) Options {
	tb.Helper()
	if o.SDKKey.IsZero() {
		o.SDKKey = secret.NewKey("secret-eventstest")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o, err := o.withDefaults()
	if err != nil {
		tb.Fatalf("checking options: %v", err)
	}
	return o
}
