package controllers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/ofrep"
	"github.com/statsig-operator/statsig-operator/pkg/serve"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// evaluate answers OpenFeature's clients of a project that has spec.ofrep. There is nothing at the address of any other
// one.
func (s *server) evaluate(w http.ResponseWriter, r *http.Request, account *serve.Account) {
	name := objectOf(r)
	account.Object = name.String()
	spec := s.ofrepSpec(r, name)
	if spec == nil {
		http.NotFound(w, r)
		return
	}
	q := &question{
		verb: "create", resource: "statsigprojects", subresource: "evaluations", kind: "statsigproject", object: name,
		token: spec.TokenSecretRef,
	}
	caller, refused := s.access.admit(r, q)
	account.Caller = caller
	if refused != nil {
		writeRefusal(w, refused)
		return
	}
	s.ofrep.ServeHTTP(w, r)
}

// ofrepSpec returns how a project wants to be evaluated over HTTP; nil where it does not, or where there is no such
// project.
func (s *server) ofrepSpec(r *http.Request, name types.NamespacedName) *v1alpha1.OFREPSpec {
	project := &v1alpha1.StatsigProject{}
	if err := s.cache.Get(r.Context(), name, project, client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	return project.Spec.OFREP
}

// ofrepProject is what a request is answered from: what runs for the project on this replica.
func (s *server) ofrepProject(r *http.Request) ofrep.Project {
	name := objectOf(r)
	running, _ := s.runtimes.lookup(name)
	if running == nil {
		return ofrep.Project{}
	}
	served := running.served(s.runtimes.Version)
	if served == nil {
		return ofrep.Project{}
	}
	project := ofrep.Project{Evaluator: served.evaluator, Version: served.version}
	if spec := s.ofrepSpec(r, name); spec != nil && spec.Exposures != v1alpha1.ExposureDisabled && running.logger != nil {
		project.Expose = func(e ofrep.Exposure) {
			running.logger.Expose(events.Exposure{
				Result: e.Result, Parameter: e.Parameter, User: served.evaluator.LoggableUser(nil, e.User), Time: e.Time,
			})
		}
	}
	return project
}

// servedRules are a project's rules and ID lists, ready to be evaluated.
type servedRules struct {
	evaluator *eval.Evaluator
	lists     *specsync.IDLists
	// version is equal on all replicas that evaluate alike with the same snapshot.
	version string
}

// served returns the project's rules as they are now; nil while there are none. It is made anew only when they have
// changed.
func (p *projectRuntime) served(operatorVersion string) *servedRules {
	state := p.state()
	if last := p.lastServed.Load(); last != nil && last.evaluator.Snapshot() == state.Snapshot && last.lists == state.IDLists {
		return last
	}
	evaluator, _, _ := p.evaluatorOf(&state)
	if evaluator == nil {
		return nil
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", operatorVersion, p.settings, state.IDLists.Version()))
	next := &servedRules{evaluator: evaluator, lists: state.IDLists, version: hex.EncodeToString(sum[:8])}
	p.lastServed.Store(next)
	return next
}
