// Command flagger runs Flagger's controller for Canaries without a mesh, on a cluster that a kubeconfig names.
//
// Flagger's own command would serve metrics on every address of the machine, and ends where it cannot. This one is made of the same
// packages and serves nothing; neither does it ask Prometheus, elect a leader or notify anybody.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/flagger/pkg/canary"
	"github.com/fluxcd/flagger/pkg/client/clientset/versioned"
	"github.com/fluxcd/flagger/pkg/client/informers/externalversions"
	"github.com/fluxcd/flagger/pkg/controller"
	"github.com/fluxcd/flagger/pkg/logger"
	"github.com/fluxcd/flagger/pkg/metrics/observers"
	"github.com/fluxcd/flagger/pkg/notifier"
	"github.com/fluxcd/flagger/pkg/router"
	"github.com/fluxcd/flagger/pkg/signals"
	"github.com/fluxcd/flagger/pkg/version"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	meshProvider = "kubernetes"
	// lookout is how often the controller looks for Canaries that are new or changed.
	lookout = 100 * time.Millisecond
	resync  = 30 * time.Second
	workers = 2
	// metricsServer is asked by Canaries with metrics only.
	metricsServer = "http://127.0.0.1:9"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "file that names the cluster")
	flag.Parse()
	if err := run(*kubeconfig, signals.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "flagger:", err)
		os.Exit(1)
	}
}

func run(kubeconfig string, stop <-chan struct{}) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	canaries, err := versioned.NewForConfig(config)
	if err != nil {
		return err
	}
	observer, err := observers.NewFactory(metricsServer)
	if err != nil {
		return err
	}
	log, err := logger.NewLoggerWithEncoding("info", "json")
	if err != nil {
		return err
	}

	factory := externalversions.NewSharedInformerFactory(canaries, resync)
	kinds := factory.Flagger().V1beta1()
	informers := controller.Informers{
		CanaryInformer: kinds.Canaries(), MetricInformer: kinds.MetricTemplates(), AlertInformer: kinds.AlertProviders(),
	}
	labels := []string{"app", "name", "app.kubernetes.io/name"}
	tracker := &canary.ConfigTracker{Logger: log, KubeClient: clients, FlaggerClient: canaries}
	// Nothing here is Knative's, so its client is nil.
	flagger := controller.NewController(clients, nil, canaries, informers, lookout, log, &notifier.NopNotifier{},
		canary.NewFactory(clients, canaries, nil, tracker, labels, nil, log),
		router.NewFactory(config, clients, canaries, nil, "", "", log, canaries, true),
		observer, meshProvider, version.VERSION, "", "", false, config)
	informers.MetricInformer.Informer()
	informers.AlertInformer.Informer()
	factory.Start(stop)
	for kind, synced := range factory.WaitForCacheSync(stop) {
		if !synced {
			return fmt.Errorf("the cache of %s was not filled", kind)
		}
	}
	return flagger.Run(workers, stop)
}
