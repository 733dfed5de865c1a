package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// projectStory is a story with an operator and a project that serves simpleSpecs.
func projectStory(t *testing.T) (*story, *operator, *v1alpha1.StatsigProject) {
	t.Helper()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	project := s.project()
	s.create(s.secretWithKey(), project)
	op := s.operator()
	s.awaitReady(project)
	return s, op, project
}

func withDefault(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }

func TestStoryMissingReferences(t *testing.T) {
	t.Run("Entities that the specs don't have are named, and served when they come", func(t *testing.T) {
		t.Parallel()
		s, _, _ := projectStory(t)
		binding := s.binding("simple", toConfigMap("flags"), asks(
			v1alpha1.Entry{Name: "on", Gate: "on"},
			v1alpha1.Entry{Name: "gate", Gate: "none", Default: withDefault("true")},
			v1alpha1.Entry{Name: "config", DynamicConfig: "none", Default: withDefault(`{"a":1}`)},
			v1alpha1.Entry{Name: "experiment", Experiment: "none", Parameter: "color", Default: withDefault(`"red"`)},
			v1alpha1.Entry{Name: "layer", Layer: "none", Parameter: "model"},
			v1alpha1.Entry{Name: "store", ParameterStore: "none", Parameter: "theme"},
		))
		s.create(binding)
		s.awaitConditions(binding, applied, isFor(v1alpha1.ConditionEvaluated, v1alpha1.ReasonEntityNotFound, "Gate none"))
		s.awaitData("flags", map[string]string{"on": "true", "gate": "true", "config": `{"a":1}`, "experiment": "red"})
		states := map[string]v1alpha1.EntryState{}
		for _, e := range binding.Status.Entries {
			states[e.Name] = e.State
		}
		wantStates := map[string]v1alpha1.EntryState{
			"on": v1alpha1.EntryEvaluated, "gate": v1alpha1.EntryDefault, "config": v1alpha1.EntryDefault,
			"experiment": v1alpha1.EntryDefault, "layer": v1alpha1.EntryAbsent, "store": v1alpha1.EntryAbsent,
		}
		if diff := cmp.Diff(wantStates, states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		change(s, binding, func(b *v1alpha1.FlagBinding) { b.Spec.Entries[1].Required = true })
		s.awaitConditions(binding, isFor(v1alpha1.ConditionReady, v1alpha1.ReasonEntityNotFound, "none"))
		s.statsig.SetSpecs(simpleSpecs().Time(2000).Add(
			evaltest.NewGate("none"),
			evaltest.NewDynamicConfig("none").Rule(evaltest.NewRule("all").Return(map[string]any{"color": "blue"})),
			evaltest.NewLayer("none").Rule(evaltest.NewRule("all").Return(map[string]any{"model": 7})),
		).Store("none", map[string]any{"theme": evaltest.Static("dark")}).JSON(t))
		s.awaitData("flags", map[string]string{
			"on": "true", "gate": "false", "config": `{"color":"blue"}`, "experiment": "blue", "layer": "7", "store": "dark",
		})
		s.awaitConditions(binding, applied, allEvaluated)
	})
	t.Run("A parameter or path that the value does not have is named", func(t *testing.T) {
		t.Parallel()
		s, _, _ := projectStory(t)
		binding := s.binding("simple", toConfigMap("flags"), asks(
			v1alpha1.Entry{Name: "burst", DynamicConfig: "limits", Parameter: "burst", Default: withDefault("5")},
			v1alpha1.Entry{Name: "gold", DynamicConfig: "limits", Path: "tiers.gold"},
		))
		s.create(binding)
		s.awaitConditions(binding, applied, isFor(v1alpha1.ConditionEvaluated, v1alpha1.ReasonValueNotFound, "tiers.gold"))
		s.awaitData("flags", map[string]string{"burst": "5"})
		must(t, s.statsig.SetDynamicConfig("limits", []byte(`{"burst":6,"tiers":{"gold":[1, 2]}}`)))
		s.awaitData("flags", map[string]string{"burst": "6", "gold": "[1,2]"})
		s.awaitConditions(binding, applied, allEvaluated)
	})
	t.Run("A project that does not exist is named, and used when it comes", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
		binding := s.simpleBinding()
		s.create(binding, s.secretWithKey())
		s.operator()
		s.awaitConditions(binding, isFor(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonRefNotFound, "project"),
			isFor(v1alpha1.ConditionReady, v1alpha1.ReasonRefNotFound, "project"))
		s.awaitData("flags", map[string]string{"on": "false", "off": "false"})
		project := s.project()
		s.create(project)
		s.awaitData("flags", simpleValues)
		s.awaitConditions(binding, applied, allResolved)
	})
	t.Run("A workload that does not exist is named, and evaluated when it comes", func(t *testing.T) {
		t.Parallel()
		s, _, _ := projectStory(t)
		binding := s.binding("simple", onDeployments(v1alpha1.UnitWorkload, "web", "worker"), asksGate("on", "on"),
			toConfigMap("flags-$(workload.name)"))
		s.create(s.deployment("web"), binding)
		s.awaitConditions(binding, isFor(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonRefNotFound, "worker"),
			isFor(v1alpha1.ConditionReady, v1alpha1.ReasonRefNotFound, "worker"))
		s.awaitData("flags-web", map[string]string{"on": "true"})
		s.create(s.deployment("worker"))
		s.awaitData("flags-worker", map[string]string{"on": "true"})
		s.awaitConditions(binding, applied, allResolved)
	})
	t.Run("A kind of workload that does not exist is named, and watched when it comes", func(t *testing.T) {
		t.Parallel()
		s, op, _ := projectStory(t)
		// Kinds are cluster-wide, and stories run side by side.
		kind := schema.GroupVersionKind{Group: s.namespace + ".example.com", Version: "v1", Kind: "Widget"}
		binding := s.binding("simple", asksGate("on", "on"), toConfigMap("flags"), func(b *v1alpha1.FlagBinding) {
			b.Spec.Subject.Unit = v1alpha1.UnitWorkload
			b.Spec.Subject.Workloads = []v1alpha1.WorkloadSelector{
				{APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Selector: &metav1.LabelSelector{}},
			}
		})
		s.create(binding)
		s.awaitConditions(binding, isFor(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonKindNotFound, "Widget in "+kind.Group+"/v1"))
		s.settle(op)
		installWidgets(t, kind)
		// The operator looks for the kind again every two minutes, or when the binding changes.
		touch(s, binding)
		s.awaitConditions(binding, isFor(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonKindForbidden, "Widget in "+kind.Group+"/v1"))
		s.absent(s.configMap("flags"))
		s.grantOperator("widgets", kind.Group, "get", "list", "watch")
		widget := &unstructured.Unstructured{}
		widget.SetGroupVersionKind(kind)
		widget.SetName("gadget")
		s.create(widget)
		eventually(t, "the right to list widgets", s.operatorMayList(kind))
		touch(s, binding)
		s.awaitConditions(binding, applied, allResolved)
		s.awaitData("flags", map[string]string{"on": "true"})
		if got := binding.Status.Workloads[0]; got.Kind != "Widget."+kind.Group || got.UserID != s.namespace+"/gadget" {
			t.Errorf("unit %+v", got)
		}
		// From now on it is watched.
		s.delete(widget)
		await(s, binding, "no unit", func(b *v1alpha1.FlagBinding) string { return cmp.Diff(int32(0), b.Status.Units) })
	})
}

// installWidgets adds a kind without a schema to the API server.
func installWidgets(t *testing.T, kind schema.GroupVersionKind) {
	t.Helper()
	anything := true
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "widgets." + kind.Group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: kind.Group,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "widgets", Singular: "widget", Kind: kind.Kind, ListKind: "WidgetList"},
			Scope: apiextensionsv1.NamespaceScoped,
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: kind.Version, Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{
					OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &anything},
				},
			}},
		},
	}
	options := envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{crd}}
	if _, err := envtest.InstallCRDs(plane.config, options); err != nil {
		t.Fatal(err)
	}
}

// grantOperator lets the operator read a resource that its role does not have.
func (s *story) grantOperator(resource, group string, verbs ...string) {
	s.t.Helper()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "operator-" + resource + "." + group},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}},
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

func TestStoryRefNotPermitted(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	project := s.project()
	s.create(s.secretWithKey(), project)
	guest := *s
	guest.namespace = s.newNamespace("team", "search")
	binding := guest.simpleBinding()
	binding.Spec.ProjectRef.Namespace = s.namespace
	guest.create(binding)
	op := startOperator(t, operatorOptions{namespaces: []string{s.namespace, guest.namespace}})

	refused := func(says string) {
		t.Helper()
		guest.awaitConditions(binding, stalledFor(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonRefNotPermitted, says)...)
		guest.settle(op)
		guest.absent(guest.configMap("flags"))
		if len(binding.Status.Entries) > 0 || len(binding.Status.Workloads) > 0 {
			t.Errorf("something was evaluated: %+v", binding.Status)
		}
	}
	refused("allows its own namespace only")
	change(s, project, func(p *v1alpha1.StatsigProject) {
		p.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{
			From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "payments"}},
		}
	})
	refused("team=payments")
	s.polled()
	if events := s.statsig.Events(); len(events) > 0 {
		t.Errorf("%d exposures from a namespace that may not use the project", len(events))
	}

	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: guest.namespace}}
	change(&guest, namespace, func(n *corev1.Namespace) { n.Labels["team"] = "payments" })
	guest.awaitData("flags", simpleValues)
	guest.awaitConditions(binding, applied, allResolved)

	// What was written stays when the permission goes, and nothing more is.
	change(&guest, namespace, func(n *corev1.Namespace) { n.Labels["team"] = "search" })
	guest.awaitConditions(binding, stalledFor(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonRefNotPermitted, "team=payments")...)
	must(t, s.statsig.SetGate("off", true))
	s.polled()
	guest.settle(op)
	guest.awaitData("flags", simpleValues)
	change(s, project, func(p *v1alpha1.StatsigProject) {
		p.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll}
	})
	guest.awaitData("flags", flipped)
	guest.awaitConditions(binding, applied)
}

func TestStoryUserExpressions(t *testing.T) {
	t.Run("An expression that does not compile is refused, and nothing is written", func(t *testing.T) {
		t.Parallel()
		s, op, _ := projectStory(t)
		binding := s.simpleBinding()
		withUserID("namespace.metadata.labels[")(binding)
		s.create(binding)
		s.awaitConditions(binding, stalledFor(v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "user.userID")...)
		s.settle(op)
		s.absent(s.configMap("flags"))
		change(s, binding, withUserID("namespace.metadata.name"))
		s.awaitReady(binding)
		s.awaitData("flags", simpleValues)
		// A mistake that comes later leaves what was written.
		change(s, binding, withUserID("workload.name"))
		s.awaitConditions(binding, stalledFor(v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "workload")...)
		s.awaitData("flags", simpleValues)
	})
	t.Run("An expression that fails for a unit leaves out that unit only", func(t *testing.T) {
		t.Parallel()
		s, op, _ := projectStory(t)
		good, bad := s.deployment("good"), s.deployment("bad")
		good.Labels = map[string]string{"tier": "gold"}
		binding := s.binding("simple", onDeployments(v1alpha1.UnitWorkload, "good", "bad"), asksGate("on", "on"),
			withUserID("workload.metadata.labels['tier']"), toConfigMap("flags-$(workload.name)"))
		s.create(good, bad, binding)
		s.awaitConditions(binding, stalledFor(v1alpha1.ConditionEvaluated, v1alpha1.ReasonUserExpressionFailed, "Deployment bad")...)
		s.awaitData("flags-good", map[string]string{"on": "true"})
		s.settle(op)
		s.absent(s.configMap("flags-bad"))
		failed := slices.IndexFunc(binding.Status.Workloads, func(u v1alpha1.UnitStatus) bool { return u.Name == "bad" })
		if failed < 0 || !strings.Contains(binding.Status.Workloads[failed].Message, "tier") {
			t.Errorf("the unit's message does not name the label: %+v", binding.Status.Workloads)
		}
		change(s, bad, func(d *appsv1.Deployment) { d.Labels = map[string]string{"tier": "silver"} })
		s.awaitData("flags-bad", map[string]string{"on": "true"})
		s.awaitReady(binding)
		change(s, bad, func(d *appsv1.Deployment) { d.Labels = nil })
		s.awaitConditions(binding, isFor(v1alpha1.ConditionEvaluated, v1alpha1.ReasonUserExpressionFailed, "Deployment bad"))
		s.settle(op)
		s.awaitData("flags-bad", map[string]string{"on": "true"})
	})
}

func TestStoryTooLarge(t *testing.T) {
	t.Parallel()
	s, op, _ := projectStory(t)
	s.create(s.deployment("web"))
	binding := s.binding("simple", toConfigMap("flags"), asksGate("off", "off"), asks(v1alpha1.Entry{Name: "limits", DynamicConfig: "limits"}))
	s.create(binding)
	s.awaitReady(binding)
	before := s.awaitData("flags", map[string]string{"off": "false", "limits": `{"rps":10}`})

	large := fmt.Sprintf(`{"filler":%q}`, strings.Repeat("x", 950<<10))
	must(t, s.statsig.SetDynamicConfig("limits", []byte(large)))
	s.awaitConditions(binding, stalledFor(v1alpha1.ConditionMaterialized, v1alpha1.ReasonTargetTooLarge, "flags")...)
	s.settle(op)
	after := s.awaitData("flags", before.Data)
	if before.ResourceVersion != after.ResourceVersion {
		t.Error("the ConfigMap was written")
	}
	eventually(t, "the Kubernetes Event", func(ctx context.Context) string {
		events := &eventsv1.EventList{}
		must(t, s.c.List(ctx, events, client.InNamespace(s.namespace)))
		for i := range events.Items {
			e := &events.Items[i]
			if e.Reason == v1alpha1.ReasonTargetTooLarge && e.Regarding.UID == binding.UID && e.Type == corev1.EventTypeWarning {
				return ""
			}
		}
		return fmt.Sprintf("none among %d is of reason %s", len(events.Items), v1alpha1.ReasonTargetTooLarge)
	})
	if got := binding.Status.Targets[0]; got.State != v1alpha1.TargetFailed || got.Message == "" || binding.Status.TargetsApplied != "0/1" {
		t.Errorf("status: %+v", binding.Status)
	}
	must(t, s.statsig.SetDynamicConfig("limits", []byte(`{"rps":20}`)))
	s.awaitData("flags", map[string]string{"off": "false", "limits": `{"rps":20}`})
	s.awaitReady(binding)
}
