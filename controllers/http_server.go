package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/ofrep"
	"github.com/statsig-operator/statsig-operator/pkg/serve"
)

// The endpoints, as logs and metrics name them.
const (
	endpointGates   = "gates"
	endpointFlagger = "flagger"
	endpointOFREP   = "ofrep"
)

const (
	// servingTimeout bounds one request, the questions to the API server included.
	servingTimeout = 5 * time.Second
	// servingMaxBody bounds what a request may bring.
	servingMaxBody = 64 << 10
)

// ServingOptions configure the endpoints that others ask.
type ServingOptions struct {
	// QPS is how often each caller may ask, in requests a second on average; twice as often in a burst. Default: 100.
	QPS float64
	// Log gets a line for each request. The zero value drops them.
	Log logr.Logger
}

// server answers HTTP requests about RolloutGates from the cache, and evaluates for OpenFeature's clients with what
// runs on this replica. So it answers alike whether this replica leads or not.
type server struct {
	cache    client.Reader
	runtimes *Runtimes
	access   *access
	ofrep    http.Handler
	// synced reports whether the cache has been filled.
	synced func() bool
	now    func() time.Time
	log    logr.Logger
}

// Serving returns what answers on every replica: GET /v1/gates/<namespace>/<name>, POST /v1/flagger/<namespace>/<name>
// with or without /closed, and /projects/<namespace>/<name>/ofrep/. The manager is not ready before it can answer. Call
// it once, before the manager starts.
func (o *Operator) Serving(ctx context.Context, options ServingOptions) (http.Handler, error) {
	synced, err := syncedInformers(ctx, o.mgr.GetCache(), &v1alpha1.RolloutGate{}, &v1alpha1.StatsigProject{})
	if err != nil {
		return nil, err
	}
	ready := &warmingUp{synced: synced, cache: o.mgr.GetCache(), runtimes: o.runtimes}
	if err := o.mgr.AddReadyzCheck("serving", ready.check); err != nil {
		return nil, fmt.Errorf("adding the readiness probe: %w", err)
	}
	// What strangers cause must not use up what the reconcilers may ask of the API server; access has bounds of its own.
	config := rest.CopyConfig(o.mgr.GetConfig())
	config.QPS = -1
	asks, err := client.New(config, client.Options{
		Scheme: o.mgr.GetScheme(), Mapper: o.mgr.GetRESTMapper(), HTTPClient: o.mgr.GetHTTPClient(),
	})
	if err != nil {
		return nil, fmt.Errorf("setting up a client for reviews: %w", err)
	}
	return newServer(o.mgr.GetCache(), asks, o.runtimes, synced, options)
}

// syncedInformers returns a function that reports whether the cache has all objects of these kinds.
func syncedInformers(ctx context.Context, informers cache.Informers, kinds ...client.Object) (func() bool, error) {
	var all []cache.Informer
	for _, kind := range kinds {
		informer, err := informers.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, fmt.Errorf("setting up the watch of %T: %w", kind, err)
		}
		all = append(all, informer)
	}
	return func() bool {
		for _, informer := range all {
			if !informer.HasSynced() {
				return false
			}
		}
		return true
	}, nil
}

func newServer(
	cached client.Reader, asks client.Client, runtimes *Runtimes, synced func() bool, options ServingOptions,
) (http.Handler, error) {
	if options.QPS < 0 {
		return nil, errors.New("the rate of a caller must not be negative")
	}
	if options.QPS == 0 {
		options.QPS = 100
	}
	s := &server{
		cache: cached, runtimes: runtimes, synced: synced, now: runtimes.Now, log: options.Log,
		access: newAccess(asks, options.QPS, runtimes.Now, options.Log),
	}
	var err error
	s.ofrep, err = ofrep.New(ofrep.Options{Project: s.ofrepProject, Now: s.now, MaxBodyBytes: servingMaxBody})
	if err != nil {
		return nil, fmt.Errorf("setting up OFREP: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/gates/{namespace}/{name}", s.endpoint(endpointGates, s.gate))
	mux.Handle("POST /v1/flagger/{namespace}/{name}", s.endpoint(endpointFlagger, s.flagger(v1alpha1.GateOpen)))
	mux.Handle("POST /v1/flagger/{namespace}/{name}/closed", s.endpoint(endpointFlagger, s.flagger(v1alpha1.GateClosed)))
	mux.Handle("/projects/{namespace}/{name}/ofrep/", s.endpoint(endpointOFREP, s.evaluate))
	return mux, nil
}

// endpoint is what all endpoints have in common.
func (s *server) endpoint(name string, answer func(http.ResponseWriter, *http.Request, *serve.Account)) http.Handler {
	return &serve.Endpoint{
		Name: name, Timeout: servingTimeout, MaxBodyBytes: servingMaxBody, Now: s.now, Account: s.account,
		Answer: func(w http.ResponseWriter, r *http.Request, account *serve.Account) {
			if !s.synced() {
				writeRefusal(w, &refusal{status: http.StatusServiceUnavailable, message: "the operator is starting"})
				return
			}
			if !isObjectName(objectOf(r)) {
				http.NotFound(w, r)
				return
			}
			answer(w, r, account)
		},
	}
}

// objectOf is the object that a request's path names.
func objectOf(r *http.Request) types.NamespacedName {
	return types.NamespacedName{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
}

func isObjectName(name types.NamespacedName) bool {
	return len(validation.IsDNS1123Label(name.Namespace)) == 0 && len(validation.IsDNS1123Subdomain(name.Name)) == 0
}

// account logs and counts a request. Decisions on gates and denials are logged always; evaluations, and what may come
// in floods, only in detail.
func (s *server) account(a *serve.Account) {
	servingRequests.WithLabelValues(a.Endpoint, strconv.Itoa(a.Status)).Inc()
	servingSeconds.WithLabelValues(a.Endpoint).Observe(a.Took.Seconds())
	level := 0
	denied := a.Status == http.StatusUnauthorized || (a.Status == http.StatusForbidden && a.Answer == "")
	if !denied && a.Answer == "" {
		level = 1
	}
	s.log.V(level).Info("Answered a request", "endpoint", a.Endpoint, "object", a.Object, "caller", a.Caller, "answer", a.Answer,
		"status", a.Status, "remote", a.Remote, "duration", a.Took.String())
}

// refusal is an answer to a caller who gets none.
type refusal struct {
	status  int
	message string
	// wait is when to come back, where that helps.
	wait time.Duration
}

func writeRefusal(w http.ResponseWriter, r *refusal) {
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if r.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(serve.RetryAfter(r.wait)))
	}
	writeJSON(w, r.status, struct {
		Error string `json:"error"`
	}{r.message})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // whoever has gone does not miss it
}
