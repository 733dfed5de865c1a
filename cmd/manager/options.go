package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
)

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
	flags.BoolVar(&o.leaderElection, "leader-elect", true, "Let one replica at a time reconcile.")
	flags.StringVar(&o.leaderNamespace, "leader-election-namespace", "",
		"Namespace of the leader election lease. Default: the manager's own.")
	flags.StringVar(&o.clusterName, "cluster-name", "", "Value of cluster.name in user expressions.")
	flags.StringVar(&o.specsDir, "specs-dir", "", "Directory that sources of type File are read from. Default: none, such sources are refused.")
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

func (o *options) validate() error {
	var errs []error
	if o.concurrency < 1 {
		errs = append(errs, fmt.Errorf("--concurrency is %d, but must be at least 1", o.concurrency))
	}
	if o.qps <= 0 || o.burst < 1 {
		errs = append(errs, errors.New("--kube-api-qps and --kube-api-burst must be positive"))
	}
	if o.shutdownTimeout <= 0 {
		errs = append(errs, errors.New("--shutdown-timeout must be positive"))
	}
	return errors.Join(errs...)
}
