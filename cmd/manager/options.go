package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/events/spool"
)

// minSpoolBytes is what a project's spool needs at least.
const minSpoolBytes = 16 << 20

// options are the manager's flags.
type options struct {
	metricsAddress   string
	metricsSecure    bool
	metricsCertDir   string
	probeAddress     string
	leaderElection   bool
	leaderNamespace  string
	clusterName      string
	specsDir         string
	snapshotSpace    string
	snapshotDir      string
	spoolDir         string
	spoolBytes       int64
	spoolSync        string
	webhookAddress   string
	webhookCertDir   string
	servingAddress   string
	servingCertDir   string
	servingInsecure  bool
	servingQPS       float64
	concurrency      int
	qps              float32
	burst            int
	shutdownTimeout  time.Duration
	logLevel         int
	logDevelopment   bool
	watchedNamespace []string
}

func (o *options) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", `Address of the metrics endpoint; "0" switches it off.`)
	flags.BoolVar(&o.metricsSecure, "metrics-secure", true,
		"Serve metrics over TLS, to callers that the API server authenticates and authorizes.")
	flags.StringVar(&o.metricsCertDir, "metrics-cert-dir", "",
		"Directory with tls.crt and tls.key for the metrics endpoint, read again when they change. Default: a self-signed pair.")
	flags.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz.")
	flags.BoolVar(&o.leaderElection, "leader-elect", true, "Let one replica at a time write.")
	flags.StringVar(&o.leaderNamespace, "leader-election-namespace", "",
		"Namespace of the leader election lease. Default: the manager's own.")
	flags.StringVar(&o.clusterName, "cluster-name", "", "Value of cluster.name in user expressions.")
	flags.StringVar(&o.specsDir, "specs-dir", "", "Directory that sources of type File are read from. Default: none, such sources are refused.")
	flags.StringVar(&o.snapshotSpace, "snapshot-namespace", "",
		"Namespace of the Secrets that keep the last good specs (snapshot.store Secret). Default: none, they are kept in memory.")
	flags.StringVar(&o.snapshotDir, "snapshot-dir", "",
		"Directory that keeps the last good specs of projects with snapshot.store Volume. Default: none, such projects are refused.")
	flags.StringVar(&o.spoolDir, "events-spool-dir", "",
		"Directory where events wait for delivery, so that a crash loses none. Default: none, they wait in memory.")
	flags.Int64Var(&o.spoolBytes, "events-spool-max-bytes", 256<<20,
		"Largest size of each project's part of --events-spool-dir; beyond it the oldest events are dropped.")
	flags.StringVar(&o.spoolSync, "events-spool-sync", "Interval",
		"When the spool is flushed to the device: Always, Interval (each second) or Never.")
	flags.StringVar(&o.webhookAddress, "webhook-bind-address", "0", `Address where Statsig's webhooks are answered; "0" switches it off.`)
	flags.StringVar(&o.webhookCertDir, "webhook-cert-dir", "",
		"Directory with tls.crt and tls.key for the webhooks, read again when they change. Default: none, plain HTTP behind an ingress.")
	flags.StringVar(&o.servingAddress, "serving-bind-address", "0",
		`Address where the states of RolloutGates and OpenFeature's evaluations are served; "0" switches it off.`)
	flags.StringVar(&o.servingCertDir, "serving-cert-dir", "",
		"Directory with tls.crt and tls.key for that, read again when they change. Default: none, which --serving-insecure must allow.")
	flags.BoolVar(&o.servingInsecure, "serving-insecure", false,
		"Serve that without TLS, so that whoever listens on the way learns the callers' tokens.")
	flags.Float64Var(&o.servingQPS, "serving-qps", 100,
		"Requests a second that each caller may send there, on average; twice as many in a burst.")
	flags.IntVar(&o.concurrency, "concurrency", 4, "Number of FlagBindings reconciled at once.")
	flags.Float32Var(&o.qps, "kube-api-qps", 100, "Requests a second to the API server, on average.")
	flags.IntVar(&o.burst, "kube-api-burst", 200, "Requests to the API server in a burst.")
	flags.DurationVar(&o.shutdownTimeout, "shutdown-timeout", 15*time.Second,
		"How long the controllers may take to stop. Delivering the last events may take another 10s; keep the sum below the pod's "+
			"terminationGracePeriodSeconds.")
	flags.IntVarP(&o.logLevel, "verbosity", "v", 0, "0 logs changes of state, 1 decisions, 2 detail.")
	flags.BoolVar(&o.logDevelopment, "log-development", false, "Log for people instead of JSON.")
	flags.StringSliceVar(&o.watchedNamespace, "namespaces", nil, "Namespaces to watch. Default: all.")
}

// spoolPolicies are the values of --events-spool-sync.
var spoolPolicies = map[string]spool.SyncPolicy{
	"Always": spool.SyncAlways, "Interval": spool.SyncInterval, "Never": spool.SyncNever,
}

func (o *options) spool() events.SpoolOptions {
	return events.SpoolOptions{Dir: o.spoolDir, MaxBytes: o.spoolBytes, Fsync: spoolPolicies[o.spoolSync]}
}

func (o *options) validate() error {
	var errs []error
	if _, known := spoolPolicies[o.spoolSync]; !known {
		errs = append(errs, fmt.Errorf("--events-spool-sync is %q, but must be Always, Interval or Never", o.spoolSync))
	}
	if o.spoolBytes < minSpoolBytes {
		errs = append(errs, fmt.Errorf("--events-spool-max-bytes is %d, but must be at least %d", o.spoolBytes, minSpoolBytes))
	}
	if o.concurrency < 1 {
		errs = append(errs, fmt.Errorf("--concurrency is %d, but must be at least 1", o.concurrency))
	}
	if o.qps <= 0 || o.burst < 1 {
		errs = append(errs, errors.New("--kube-api-qps and --kube-api-burst must be positive"))
	}
	switch served := o.servingAddress != "0"; {
	case served && o.servingCertDir == "" && !o.servingInsecure:
		errs = append(errs, errors.New("--serving-bind-address needs --serving-cert-dir, or --serving-insecure"))
	case o.servingCertDir != "" && o.servingInsecure:
		errs = append(errs, errors.New("--serving-cert-dir and --serving-insecure exclude each other"))
	}
	if o.servingQPS < 1 {
		errs = append(errs, fmt.Errorf("--serving-qps is %v, but must be at least 1", o.servingQPS))
	}
	if o.shutdownTimeout <= 0 {
		errs = append(errs, errors.New("--shutdown-timeout must be positive"))
	}
	return errors.Join(errs...)
}
