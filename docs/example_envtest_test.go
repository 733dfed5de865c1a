package docs_test

import (
	"context"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/controllers"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

const sdkKey = "secret-envtest"

// TestGateReachesTheConfigMap is the example of testing-with-statsigtest.md: an API server, the operator and a Statsig server in one
// process. A gate is flipped; the ConfigMap follows, and so does the exposure.
func TestGateReachesTheConfigMap(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("KUBEBUILDER_ASSETS is not set: there is no kube-apiserver to start")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	srv := statsigtest.Start(t, statsigtest.Options{Keys: []secret.Key{secret.NewKey(sdkKey)}})
	c := startOperator(ctx, t)
	for _, object := range exampleObjects(srv.URL()) {
		if err := c.Create(ctx, object); err != nil {
			t.Fatalf("creating %T: %v", object, err)
		}
	}
	before := waitForFlag(ctx, t, c, func(value string) bool { return value != "" })

	if err := srv.SetGate("new_checkout", before == "false"); err != nil {
		t.Fatalf("flipping the gate: %v", err)
	}
	after := waitForFlag(ctx, t, c, func(value string) bool { return value != before })

	_, err := srv.WaitForEvent(ctx, func(e statsigtest.Event) bool {
		return e.Metadata["gate"] == "new_checkout" && e.UserID == "default" && e.Metadata["gateValue"] == after
	})
	if err != nil {
		t.Fatalf("waiting for the exposure: %v", err)
	}
}

// waitForFlag returns the value of newCheckout in the ConfigMap once it is as wanted.
func waitForFlag(ctx context.Context, t *testing.T, c client.Client, wanted func(string) bool) string {
	t.Helper()
	held := &corev1.ConfigMap{}
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, types.NamespacedName{Namespace: "default", Name: "flags"}, held)
		return wanted(held.Data["newCheckout"]), client.IgnoreNotFound(err)
	})
	if err != nil {
		t.Fatalf("waiting for the ConfigMap: %v; it holds %v", err, held.Data)
	}
	return held.Data["newCheckout"]
}

// startOperator starts a control plane and the operator on it until the test ends.
func startOperator(ctx context.Context, t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatalf("building the scheme: %v", err)
		}
	}
	env := &envtest.Environment{CRDDirectoryPaths: []string{"../config/crd/bases"}, ErrorIfCRDPathMissing: true}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("starting the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Cache:   controllers.CacheOptions(nil), // the controllers rely on it
		Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		t.Fatalf("making a manager: %v", err)
	}
	operator, err := controllers.Setup(ctx, mgr, controllers.Options{Version: "test", Now: time.Now})
	if err != nil {
		t.Fatalf("setting up the controllers: %v", err)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- operator.Run(running) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("running the manager: %v", err)
		}
	})
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatalf("making a client: %v", err)
	}
	return c
}

// exampleObjects are a Secret, a project that reads from url, and a binding with one entry.
func exampleObjects(url string) []client.Object {
	second := &metav1.Duration{Duration: time.Second}
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "default", Name: name} }
	return []client.Object{
		&corev1.Secret{ObjectMeta: named("statsig"), StringData: map[string]string{"sdkKey": sdkKey}},
		&v1alpha1.StatsigProject{ObjectMeta: named("shop"), Spec: v1alpha1.StatsigProjectSpec{
			SDKKeySecretRef: &v1alpha1.SecretKeyRef{Name: "statsig", Key: "sdkKey"},
			Specs: &v1alpha1.SpecsSpec{
				Sources:  []v1alpha1.SpecsSource{{Type: v1alpha1.SourceHTTP, URL: url}},
				Interval: second,
			},
			Events: &v1alpha1.EventsSpec{FlushInterval: second},
		}},
		&v1alpha1.FlagBinding{ObjectMeta: named("flags"), Spec: v1alpha1.FlagBindingSpec{
			ProjectRef: v1alpha1.ProjectRef{Name: "shop"},
			Subject:    v1alpha1.Subject{Unit: v1alpha1.UnitNamespace},
			Entries:    []v1alpha1.Entry{{Name: "newCheckout", Gate: "new_checkout"}},
			Targets:    []v1alpha1.Target{{Name: "flags", ConfigMap: &v1alpha1.ConfigMapTarget{Name: "flags"}}},
		}},
	}
}
