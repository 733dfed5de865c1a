package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

const (
	// patience bounds every wait. It is long for slow machines; a story that passes never comes near it.
	patience = 60 * time.Second
	pause    = 25 * time.Millisecond
	// calm is how long nothing must happen for an operator to count as having nothing left to do.
	calm = 500 * time.Millisecond

	storyKey = "secret-StoryKey0OfTheTests0"
)

// story is one namespace on the shared API server, and one Statsig server.
type story struct {
	t         *testing.T
	c         client.WithWatch
	namespace string
	statsig   *statsigtest.Server
}

// newStory makes a namespace and a Statsig server for a test, and sees to it that every status in the namespace is in kstatus form.
func newStory(t *testing.T, options statsigtest.Options, labels ...string) *story {
	t.Helper()
	if options.Keys == nil {
		options.Keys = []secret.Key{secret.NewKey(storyKey)}
	}
	s := &story{t: t, c: plane.client(t), statsig: statsigtest.Start(t, options)}
	s.namespace = s.newNamespace(labels...)
	return s
}

// newNamespace makes a namespace with labels, given as name and value in turn, and watches the statuses in it.
func (s *story) newNamespace(labels ...string) string {
	s.t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "story-", Labels: pairs(labels)}}
	s.create(namespace)
	s.tidy(namespace.Name)
	watchStatuses(s.t, s.c, namespace.Name)
	return namespace.Name
}

// tidy empties a namespace when the test is over: namespaces never end here, and another story may come back to it, or have an
// operator that watches all of them.
func (s *story) tidy(namespace string) {
	s.t.Helper()
	s.t.Cleanup(func() {
		ctx := context.WithoutCancel(s.t.Context())
		bindings := &v1alpha1.FlagBindingList{}
		must(s.t, s.c.List(ctx, bindings, client.InNamespace(namespace)))
		for i := range bindings.Items {
			if binding := &bindings.Items[i]; len(binding.Finalizers) > 0 {
				binding.Finalizers = nil
				must(s.t, client.IgnoreNotFound(s.c.Update(ctx, binding)))
			}
		}
		gates := &v1alpha1.RolloutGateList{}
		must(s.t, s.c.List(ctx, gates, client.InNamespace(namespace)))
		for i := range gates.Items {
			if gate := &gates.Items[i]; len(gate.Finalizers) > 0 {
				gate.Finalizers = nil
				must(s.t, client.IgnoreNotFound(s.c.Update(ctx, gate)))
			}
		}
		for _, o := range []client.Object{
			&v1alpha1.RolloutGate{}, &v1alpha1.FlagBinding{}, &v1alpha1.StatsigProject{}, &corev1.Secret{}, &corev1.ConfigMap{}, &corev1.Pod{},
			&appsv1.Deployment{}, &appsv1.ReplicaSet{}, &appsv1.StatefulSet{}, &appsv1.DaemonSet{},
		} {
			must(s.t, s.c.DeleteAllOf(ctx, o, client.InNamespace(namespace)))
		}
	})
}

// operator starts an operator for the story's namespace.
func (s *story) operator() *operator {
	s.t.Helper()
	return startOperator(s.t, operatorOptions{namespaces: []string{s.namespace}})
}

// restart starts another operator, on what earlier ones left, and waits until it has the specs and has looked at these bindings.
func (s *story) restart(o operatorOptions, bindings ...string) *operator {
	s.t.Helper()
	requests := s.statsig.RequestCount(statsigtest.EndpointSpecs)
	op := startOperator(s.t, o)
	eventually(s.t, "the first reconciles", func(context.Context) string {
		if s.statsig.RequestCount(statsigtest.EndpointSpecs) == requests {
			return "specs were not asked for"
		}
		for _, name := range bindings {
			if op.activity.completed("flagbinding", s.namespace, name) == 0 {
				return name + " was not reconciled"
			}
		}
		return op.restlessness()
	})
	return op
}

func (s *story) create(objects ...client.Object) {
	s.t.Helper()
	for _, o := range objects {
		if o.GetNamespace() == "" {
			o.SetNamespace(s.namespace)
		}
		if err := s.c.Create(s.t.Context(), o); err != nil {
			s.t.Fatalf("creating %T %s: %v", o, o.GetName(), err)
		}
	}
}

// change reads an object anew, changes it and writes it, again where somebody else was faster.
func change[T client.Object](s *story, o T, edit func(T)) {
	s.t.Helper()
	for {
		s.read(o)
		edit(o)
		err := s.c.Update(s.t.Context(), o)
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "the object has been modified") {
			s.t.Fatalf("updating %T %s: %v", o, o.GetName(), err)
		}
	}
}

func (s *story) read(o client.Object) {
	s.t.Helper()
	if err := s.c.Get(s.t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		s.t.Fatalf("reading %T %s: %v", o, o.GetName(), err)
	}
}

func (s *story) delete(objects ...client.Object) {
	s.t.Helper()
	for _, o := range objects {
		if err := s.c.Delete(s.t.Context(), o); err != nil {
			s.t.Fatalf("deleting %T %s: %v", o, o.GetName(), err)
		}
	}
}

// eventually waits until check returns "", and fails the test with its last answer when that takes too long.
func eventually(t *testing.T, what string, check func(context.Context) string) {
	t.Helper()
	last := ""
	err := wait.PollUntilContextTimeout(t.Context(), pause, patience, true, func(ctx context.Context) (bool, error) {
		answer := check(ctx)
		if ctx.Err() == nil {
			last = answer
		}
		return answer == "", nil
	})
	if err != nil {
		t.Fatalf("%s did not come: %s", what, last)
	}
}

// await reads an object until check returns "".
func await[T client.Object](s *story, o T, what string, check func(T) string) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%s of %T %s", what, o, o.GetName()), func(ctx context.Context) string {
		if err := s.c.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err.Error()
		}
		return check(o)
	})
}

// conditioned is a StatsigProject, a FlagBinding or a RolloutGate.
type conditioned interface {
	client.Object
	GetConditions() []metav1.Condition
}

func observedGeneration(o conditioned) int64 {
	switch o := o.(type) {
	case *v1alpha1.StatsigProject:
		return o.Status.ObservedGeneration
	case *v1alpha1.FlagBinding:
		return o.Status.ObservedGeneration
	case *v1alpha1.RolloutGate:
		return o.Status.ObservedGeneration
	}
	return 0
}

// is is what a condition should come to: "Ready=True Applied".
type is struct {
	conditionType string
	status        metav1.ConditionStatus
	reason        string
	// says is a part of the message.
	says string
}

// awaitConditions waits until the conditions of the object's present generation are these.
func (s *story) awaitConditions(o conditioned, wanted ...is) {
	s.t.Helper()
	await(s, o, "the conditions", func(conditioned) string { return lacks(o, wanted) })
}

// lacks says which of the wanted conditions an object does not have; empty when it has all.
func lacks(o conditioned, wanted []is) string {
	if got := observedGeneration(o); got != o.GetGeneration() {
		return fmt.Sprintf("observedGeneration is %d, generation %d", got, o.GetGeneration())
	}
	for _, w := range wanted {
		got := meta.FindStatusCondition(o.GetConditions(), w.conditionType)
		if got == nil {
			return fmt.Sprintf("%s is missing", w.conditionType)
		}
		if got.Status != w.status || got.Reason != w.reason || !strings.Contains(got.Message, w.says) {
			return fmt.Sprintf("%s is %s %s %q, want %s %s %q", w.conditionType, got.Status, got.Reason, got.Message,
				w.status, w.reason, w.says)
		}
	}
	return ""
}

func (s *story) awaitReady(objects ...conditioned) {
	s.t.Helper()
	for _, o := range objects {
		reason := v1alpha1.ReasonApplied
		if _, project := o.(*v1alpha1.StatsigProject); project {
			reason = v1alpha1.ReasonSynced
		}
		s.awaitConditions(o, is{v1alpha1.ConditionReady, metav1.ConditionTrue, reason, ""})
	}
}

// awaitData waits until a ConfigMap holds exactly these data.
func (s *story) awaitData(name string, want map[string]string) *corev1.ConfigMap {
	s.t.Helper()
	configMap := s.configMap(name)
	await(s, configMap, "the data", func(got *corev1.ConfigMap) string { return mapDiff(want, got.Data) })
	return configMap
}

// awaitAnnotations waits until a pod's annotations are exactly these, but for the operator's marker.
func (s *story) awaitAnnotations(pod string, want map[string]string) *corev1.Pod {
	s.t.Helper()
	object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: pod}}
	await(s, object, "the annotations", func(got *corev1.Pod) string { return mapDiff(want, withoutMarkers(got)) })
	return object
}

func withoutMarkers(pod *corev1.Pod) map[string]string {
	kept := maps.Clone(pod.Annotations)
	maps.DeleteFunc(kept, func(name, _ string) bool { return strings.HasPrefix(name, v1alpha1.PodHashAnnotationPrefix) })
	return kept
}

// gone waits until an object does not exist.
func (s *story) gone(o client.Object) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("the end of %T %s", o, o.GetName()), func(ctx context.Context) string {
		err := s.c.Get(ctx, client.ObjectKeyFromObject(o), o)
		if err == nil {
			return "it is still there"
		}
		if client.IgnoreNotFound(err) != nil {
			return err.Error()
		}
		return ""
	})
}

// absent fails the test if an object exists.
func (s *story) absent(o client.Object) {
	s.t.Helper()
	err := s.c.Get(s.t.Context(), client.ObjectKeyFromObject(o), o)
	if err == nil {
		s.t.Errorf("%T %s exists", o, o.GetName())
	} else if client.IgnoreNotFound(err) != nil {
		s.t.Fatal(err)
	}
}

// settle waits until an operator has nothing left to do.
func (s *story) settle(op *operator) {
	s.t.Helper()
	eventually(s.t, "calm", func(context.Context) string { return op.restlessness() })
}

// restlessness says what the operator does, or did just now; empty when it is calm.
func (op *operator) restlessness() string {
	since, idle := op.activity.idleSince()
	if !idle {
		return "a reconcile is under way"
	}
	if last := op.requests.lastWrite(); last.After(since) {
		since = last
	}
	if quiet := time.Since(since); quiet < calm {
		return fmt.Sprintf("the last reconcile or write was %s ago", quiet)
	}
	return ""
}

// polled waits until the project's sources have been asked, and answered, twice more: the second time cannot have begun before
// this call.
func (s *story) polled() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	seen := s.statsig.RequestCount(statsigtest.EndpointSpecs)
	if err := s.statsig.WaitForRequests(ctx, statsigtest.EndpointSpecs, seen+2); err != nil {
		s.t.Fatalf("waiting for two requests for specs: %v", err)
	}
}

func (s *story) fail(f statsigtest.Failure) {
	s.t.Helper()
	if err := s.statsig.Fail(f); err != nil {
		s.t.Fatal(err)
	}
}

// down makes the Statsig server refuse every request for specs and ID lists.
func (s *story) down() {
	s.t.Helper()
	for _, endpoint := range []statsigtest.Endpoint{statsigtest.EndpointSpecs, statsigtest.EndpointIDLists} {
		s.fail(statsigtest.Failure{Endpoint: endpoint, Status: http.StatusServiceUnavailable})
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func pairs(namesAndValues []string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		m[namesAndValues[i]] = namesAndValues[i+1]
	}
	return m
}

// mapDiff says how two maps differ; empty when they don't. A nil map equals an empty one.
func mapDiff(want, got map[string]string) string {
	if len(want) == 0 && len(got) == 0 {
		return ""
	}
	return cmp.Diff(want, got)
}

// watchData collects what a ConfigMap comes to hold, until the returned function is called.
func watchData(s *story, name string) func() []map[string]string {
	s.t.Helper()
	watched, err := s.c.Watch(s.t.Context(), &corev1.ConfigMapList{}, client.InNamespace(s.namespace),
		client.MatchingFields{"metadata.name": name})
	must(s.t, err)
	var contents []map[string]string
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for event := range watched.ResultChan() {
			if c, ok := event.Object.(*corev1.ConfigMap); ok && event.Type != watch.Deleted {
				contents = append(contents, c.Data)
			}
		}
	}()
	return func() []map[string]string {
		watched.Stop()
		<-ended
		return contents
	}
}
