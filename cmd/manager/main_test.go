package main

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestFlags(t *testing.T) {
	tests := map[string]struct {
		args    []string
		wantErr string
	}{
		"the defaults are good":                     {},
		"no bindings at once are too few":           {args: []string{"--concurrency=0"}, wantErr: "--concurrency is 0"},
		"a client needs a rate":                     {args: []string{"--kube-api-qps=0"}, wantErr: "--kube-api-qps"},
		"a client needs a burst":                    {args: []string{"--kube-api-burst=0"}, wantErr: "--kube-api-burst"},
		"stopping takes some time":                  {args: []string{"--shutdown-timeout=0s"}, wantErr: "--shutdown-timeout"},
		"tokens are not served in plain by mistake": {args: []string{"--serving-bind-address=:9443"}, wantErr: "--serving-cert-dir"},
		"tokens are served in plain by will":        {args: []string{"--serving-bind-address=:9443", "--serving-insecure"}},
		"TLS is not wanted and declined at once": {
			args: []string{"--serving-bind-address=:9443", "--serving-insecure", "--serving-cert-dir=certs"}, wantErr: "exclude each other",
		},
		"a caller needs a rate":             {args: []string{"--serving-qps=0"}, wantErr: "--serving-qps"},
		"every wrong flag is named at once": {args: []string{"--concurrency=0", "--shutdown-timeout=0s"}, wantErr: "--shutdown-timeout"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var o options
			flags := pflag.NewFlagSet("manager", pflag.ContinueOnError)
			o.addFlags(flags)
			if err := flags.Parse(tc.args); err != nil {
				t.Fatal(err)
			}
			err := o.validate()
			if tc.wantErr == "" && err != nil {
				t.Errorf("got error %v, want none", err)
			}
			if tc.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tc.wantErr)) {
				t.Errorf("got error %v, want one about %s", err, tc.wantErr)
			}
		})
	}
}

func TestLeaderElectionAndSecureMetricsAreOnByDefault(t *testing.T) {
	var o options
	o.addFlags(pflag.NewFlagSet("manager", pflag.ContinueOnError))
	if !o.leaderElection || !o.metricsSecure {
		t.Errorf("leader election %v, secure metrics %v, want both on", o.leaderElection, o.metricsSecure)
	}
	if metricsOptions(&o).FilterProvider == nil {
		t.Error("metrics are served to anybody")
	}
}
