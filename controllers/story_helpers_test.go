package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
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
	watchStatuses(s.t, s.c, namespace.Name)
	return namespace.Name
}

// operator starts an operator for the story's namespace.
func (s *story) operator() *operator {
	s.t.Helper()
	return startOperator(s.t, operatorOptions{namespaces: []string{s.namespace}})
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

// conditioned is a StatsigProject or a FlagBinding.
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
	await(s, object, "the annotations", func(got *corev1.Pod) string { return mapDiff(want, withoutMarkers(got.Annotations)) })
	return object
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
	eventually(s.t, "calm", func(context.Context) string {
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
	})
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

// Objects.

func (s *story) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.namespace, Name: name}
}

func (s *story) configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: s.meta(name)}
}

// secretWithKey is the Secret that the story's projects name.
func (s *story) secretWithKey() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: s.meta("statsig"), Data: map[string][]byte{"sdkKey": []byte(storyKey)}}
}

// project is the StatsigProject "project", which follows the story's server closely.
func (s *story) project() *v1alpha1.StatsigProject {
	second := &metav1.Duration{Duration: time.Second}
	return &v1alpha1.StatsigProject{ObjectMeta: s.meta("project"), Spec: v1alpha1.StatsigProjectSpec{
		SDKKeySecretRef: &v1alpha1.SecretKeyRef{Name: "statsig", Key: "sdkKey"},
		Specs: &v1alpha1.SpecsSpec{
			Sources:  []v1alpha1.SpecsSource{{Type: v1alpha1.SourceHTTP, URL: s.statsig.URL()}},
			Interval: second,
		},
		IDLists: &v1alpha1.IDListsSpec{Interval: second},
		Events:  &v1alpha1.EventsSpec{FlushInterval: second},
	}}
}

// binding evaluates Deployments by label app.kubernetes.io/part-of: shop, for a ConfigMap each, with no targets or entries yet.
func (s *story) binding(name string, edits ...func(*v1alpha1.FlagBinding)) *v1alpha1.FlagBinding {
	b := &v1alpha1.FlagBinding{ObjectMeta: s.meta(name), Spec: v1alpha1.FlagBindingSpec{
		ProjectRef: v1alpha1.ProjectRef{Name: "project"},
		Subject:    v1alpha1.Subject{Unit: v1alpha1.UnitNamespace},
	}}
	for _, edit := range edits {
		edit(b)
	}
	return b
}

func withUserID(expression string) func(*v1alpha1.FlagBinding) {
	return func(b *v1alpha1.FlagBinding) {
		if b.Spec.Subject.User == nil {
			b.Spec.Subject.User = &v1alpha1.UserTemplate{}
		}
		b.Spec.Subject.User.UserID = v1alpha1.Expression(expression)
	}
}

// onDeployments evaluates the Deployments of these names.
func onDeployments(unit v1alpha1.Unit, names ...string) func(*v1alpha1.FlagBinding) {
	return func(b *v1alpha1.FlagBinding) {
		b.Spec.Subject.Unit = unit
		b.Spec.Subject.Workloads = nil
		for _, name := range names {
			b.Spec.Subject.Workloads = append(b.Spec.Subject.Workloads,
				v1alpha1.WorkloadSelector{APIVersion: "apps/v1", Kind: "Deployment", Name: name})
		}
	}
}

// asksGate adds an entry with the default false.
func asksGate(name, gate string) func(*v1alpha1.FlagBinding) {
	return asks(v1alpha1.Entry{Name: name, Gate: gate, Default: &runtime.RawExtension{Raw: []byte("false")}})
}

func asks(entries ...v1alpha1.Entry) func(*v1alpha1.FlagBinding) {
	return func(b *v1alpha1.FlagBinding) { b.Spec.Entries = append(b.Spec.Entries, entries...) }
}

func toConfigMap(name string) func(*v1alpha1.FlagBinding) {
	return toTarget(v1alpha1.Target{Name: fmt.Sprintf("t%d", len(name)), ConfigMap: &v1alpha1.ConfigMapTarget{Name: name}})
}

func toPods(prefix string) func(*v1alpha1.FlagBinding) {
	return toTarget(v1alpha1.Target{Name: "pods", PodAnnotations: &v1alpha1.PodAnnotationsTarget{Prefix: prefix}})
}

func toTarget(target v1alpha1.Target) func(*v1alpha1.FlagBinding) {
	return func(b *v1alpha1.FlagBinding) { b.Spec.Targets = append(b.Spec.Targets, target) }
}

// deployment is a Deployment of the shop, which nothing rolls out.
func (s *story) deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: s.meta(name), Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: podTemplate(labels),
	}}
}

// replicaSetOf is what the Deployment controller would make.
func (s *story) replicaSetOf(d *appsv1.Deployment) *appsv1.ReplicaSet {
	rs := &appsv1.ReplicaSet{ObjectMeta: s.meta(d.Name + "-7d4b9"), Spec: appsv1.ReplicaSetSpec{
		Selector: d.Spec.Selector, Template: d.Spec.Template,
	}}
	rs.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
	return rs
}

// podOf is a pod of a ReplicaSet or StatefulSet.
func (s *story) podOf(owner client.Object, kind, name string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: s.meta(name), Spec: podTemplate(nil).Spec}
	pod.Labels = map[string]string{"app": name}
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, appsv1.SchemeGroupVersion.WithKind(kind))}
	return pod
}

// rollOut creates a Deployment with a ReplicaSet and pods named <name>-0 and so on.
func (s *story) rollOut(name string, replicas int) (d *appsv1.Deployment, pods []*corev1.Pod) {
	s.t.Helper()
	d = s.deployment(name)
	s.create(d)
	rs := s.replicaSetOf(d)
	s.create(rs)
	for i := range replicas {
		pod := s.podOf(rs, "ReplicaSet", fmt.Sprintf("%s-%d", name, i))
		s.create(pod)
		pods = append(pods, pod)
	}
	return d, pods
}

func podTemplate(labels map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "registry.k8s.io/pause:3.10"}}},
	}
}

// mapDiff says how two maps differ; empty when they don't. A nil map equals an empty one.
func mapDiff(want, got map[string]string) string {
	if len(want) == 0 && len(got) == 0 {
		return ""
	}
	return cmp.Diff(want, got)
}

// secretObject is corev1.Secret, where a variable has the shorter name.
type secretObject = corev1.Secret

// deploymentObject is appsv1.Deployment, for functions that change one.
type deploymentObject = appsv1.Deployment

// grantOperator lets the operator read a resource that its role does not have.
func (s *story) grantOperator(resource, group string) {
	s.t.Helper()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "operator-" + resource + "." + group},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"get", "list", "watch"}}},
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: role.ObjectMeta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: operatorUser}},
	}
	must(s.t, s.c.Create(s.t.Context(), role), s.c.Create(s.t.Context(), binding))
}

// operatorMayList is for waiting until the API server's authorizer knows of a right.
func (s *story) operatorMayList(kind schema.GroupVersionKind) func(context.Context) string {
	s.t.Helper()
	c, err := client.New(plane.operator, client.Options{Scheme: plane.scheme})
	must(s.t, err)
	return func(ctx context.Context) string {
		if err := c.List(ctx, metadataListOf(kind)); err != nil {
			return err.Error()
		}
		return ""
	}
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

type objectMeta = metav1.ObjectMeta
