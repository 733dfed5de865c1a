//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/statsig-operator/statsig-operator/controllers"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// processLog holds what is logged outside of any operator's logger: by client-go, through klog.
var processLog lockedBuffer

// operator is a manager with the controllers, as cmd/manager runs it, with the rights of its ServiceAccount.
type operator struct {
	// serving answers what cmd/manager answers on its --serving-bind-address.
	serving http.Handler
	writes  *writes
}

// startOperator runs an operator for one namespace until the test ends.
func startOperator(t *testing.T, namespace string) *operator {
	t.Helper()
	op := &operator{writes: &writes{}}
	log := &lockedBuffer{}
	scrubber := &secret.Scrubber{}
	restConfig := rest.CopyConfig(cluster.operator)
	restConfig.Wrap(op.writes.wrap)
	skip, grace := true, 10*time.Second
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                  cluster.scheme,
		Cache:                   controllers.CacheOptions([]string{namespace}),
		Metrics:                 metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress:  "0",
		Controller:              config.Controller{SkipNameValidation: &skip},
		GracefulShutdownTimeout: &grace,
		Logger:                  zap.New(zap.Level(zapcore.Level(-2)), zap.WriteTo(scrubber.Writer(log))),
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	running, err := controllers.Setup(ctx, mgr, controllers.Options{
		Version: "e2e", ClusterName: "e2e", Scrubber: scrubber, Now: time.Now, Namespaces: []string{namespace},
		SnapshotNamespace: operatorNamespace,
	})
	must(t, err)
	op.serving, err = running.Serving(ctx, controllers.ServingOptions{Log: mgr.GetLogger()})
	must(t, err)
	ended := make(chan error, 1)
	go func() { ended <- running.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the operator ended with: %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("the operator did not stop within a minute")
		}
		if t.Failed() {
			t.Logf("log of the operator:\n%s", log.tail(16<<10))
		}
	})
	return op
}

// writes are the requests of an operator that change something, in order.
type writes struct {
	mu  sync.Mutex
	all []string
}

func (w *writes) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if request.Method != http.MethodGet && !strings.Contains(request.URL.Path, "/leases/") {
			w.mu.Lock()
			w.all = append(w.all, fmt.Sprintf("%s %s", request.Method, request.URL.Path))
			w.mu.Unlock()
		}
		return next.RoundTrip(request)
	})
}

// since returns the writes after the first n.
func (w *writes) since(n int) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.all[n:]...)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// lockedBuffer is a bytes.Buffer for many goroutines.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) tail(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(tail(b.buffer.Bytes(), n))
}
