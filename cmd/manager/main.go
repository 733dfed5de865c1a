// The manager runs the controllers of statsig-operator.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/controllers"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// version is set by the linker.
var version = "dev"

const leaderElectionID = "statsig-operator.flags.statsig-operator.dev"

func main() {
	var o options
	flags := pflag.NewFlagSet("manager", pflag.ContinueOnError)
	o.addFlags(flags)
	if err := flags.Parse(os.Args[1:]); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := o.validate(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	// Every line of every logger goes through the scrubber: an SDK key is part of the CDN's URLs, and so of many errors.
	scrubber := &secret.Scrubber{}
	log := newLogger(&o, scrubber)
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	if err := run(ctrl.SetupSignalHandler(), &o, scrubber); err != nil {
		log.Error(err, "Stopped")
		os.Exit(1)
	}
}

func newLogger(o *options, scrubber *secret.Scrubber) logr.Logger {
	stackTraces := zapcore.PanicLevel
	if o.logDevelopment {
		stackTraces = zapcore.ErrorLevel
	}
	return zap.New(
		zap.UseDevMode(o.logDevelopment),
		zap.StacktraceLevel(stackTraces),
		zap.Level(zapcore.Level(-o.logLevel)), //nolint:gosec // a verbosity, checked by its use
		zap.WriteTo(scrubber.Writer(os.Stderr)),
	)
}

func run(ctx context.Context, o *options, scrubber *secret.Scrubber) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.QPS, config.Burst = o.qps, o.burst
	mgr, err := newManager(config, o)
	if err != nil {
		return err
	}
	replica, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("reading the host name: %w", err)
	}
	operator, err := controllers.Setup(ctx, mgr, controllers.Options{
		Version: version, ClusterName: o.clusterName, SpecsDir: o.specsDir, Concurrency: o.concurrency, Scrubber: scrubber,
		Namespaces: o.watchedNamespace, SnapshotNamespace: o.snapshotSpace, SnapshotDir: o.snapshotDir, Spool: o.spool(),
		Replica: replica, Now: time.Now,
	})
	if err != nil {
		return err
	}
	if err := operator.RegisterMetrics(); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if err := addServers(ctx, mgr, o, operator); err != nil {
		return err
	}
	// Neither probe asks Statsig: an outage there must not restart the operator, which would serve the last good values.
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding the health probe: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding the readiness probe: %w", err)
	}
	ctrl.Log.Info("Starting the manager", "version", version)
	if err := operator.Run(ctx); err != nil {
		return fmt.Errorf("running the manager: %w", err)
	}
	return nil
}

func newManager(config *rest.Config, o *options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         controllers.CacheOptions(o.watchedNamespace),
		Metrics:                       metricsOptions(o),
		HealthProbeBindAddress:        o.probeAddress,
		LeaderElection:                o.leaderElection,
		LeaderElectionID:              leaderElectionID,
		LeaderElectionNamespace:       o.leaderNamespace,
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       &o.shutdownTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("creating the manager: %w", err)
	}
	return mgr, nil
}

func metricsOptions(o *options) metricsserver.Options {
	options := metricsserver.Options{
		BindAddress: o.metricsAddress, SecureServing: o.metricsSecure, CertDir: o.metricsCertDir,
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.MinVersion = tls.VersionTLS12 }},
	}
	if o.metricsSecure {
		options.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	return options
}
