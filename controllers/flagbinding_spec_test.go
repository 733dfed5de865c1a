package controllers

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// impossible is a selector that the schema lets pass and no selector can be.
var impossible = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "In"}}}

func TestSpecsThatTheSchemaLetsPassAreChecked(t *testing.T) {
	target := func(name string) v1alpha1.Target {
		return v1alpha1.Target{Name: "env", ConfigMap: &v1alpha1.ConfigMapTarget{Name: name}}
	}
	for name, tc := range map[string]struct {
		binding *bindingBuilder
		want    string
	}{
		"A plain binding is fine": {binding: newBinding("a").Gate("g").ConfigMap("flags").Annotations("flags.example.com")},
		"A workload's name is there for unit Workload": {
			binding: newBinding("a").Gate("g").Target(target("flags-$(workload.name)")),
		},
		"Both names are there for unit Pod": {
			binding: newBinding("a").Unit(v1alpha1.UnitPod).Gate("g").Target(target("$(workload.name)-$(pod.name)")),
		},
		"A pod's name is not there for unit Workload": {
			newBinding("a").Gate("g").Target(target("flags-$(pod.name)")),
			"spec.targets[env].configMap.name: $(pod.name) needs spec.subject.unit Pod",
		},
		"A workload's name is not there for unit Namespace": {
			newBinding("a").Unit(v1alpha1.UnitNamespace).Gate("g").Target(target("flags-$(workload.name)")),
			"spec.targets[env].configMap.name: $(workload.name) needs spec.subject.unit Workload or Pod",
		},
		"A workload's name is not there for unit Static": {
			newBinding("a").Unit(v1alpha1.UnitStatic).Gate("g").Target(target("flags-$(workload.name)")),
			"spec.targets[env].configMap.name: $(workload.name) needs spec.subject.unit Workload or Pod",
		},
		"A selector that cannot be": {
			newBinding("a").With(func(b *v1alpha1.FlagBinding) { b.Spec.Subject.Workloads[0].Selector = impossible }),
			"spec.subject.workloads[0].selector: ",
		},
		"A default that is no JSON": {
			newBinding("a").Entry(v1alpha1.Entry{Name: "x", Gate: "g", Default: rawJSON("tru")}),
			"spec.entries[x].default: it is not JSON",
		},
		"A default without content is none": {
			binding: newBinding("a").Entry(v1alpha1.Entry{Name: "x", Gate: "g", Default: rawJSON("")}),
		},
		"A path that makes values of its own": {
			newBinding("a").Entry(v1alpha1.Entry{Name: "x", DynamicConfig: "c", Path: "@this"}),
			"spec.entries[x].path: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := checkSpec(&tc.binding.Obj().Spec); err != nil {
				got = err.Error()
			}
			if (tc.want == "") != (got == "") || !strings.HasPrefix(got, tc.want) {
				t.Errorf("error: want %q, got %q", tc.want, got)
			}
		})
	}
}

func TestProjectsAreUsedWhereTheyAllow(t *testing.T) {
	payments := &metav1.LabelSelector{MatchLabels: map[string]string{"team": "payments"}}
	const remedy = "Ask its owner to widen spec.allowedNamespaces."
	for name, tc := range map[string]struct {
		allowed   *v1alpha1.AllowedNamespaces
		namespace string
		labels    map[string]string
		want      string
	}{
		"Its own namespace always may":             {nil, "shop", nil, ""},
		"Its own namespace may without the labels": {&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: payments}, "shop", nil, ""},
		"Its own namespace may, whatever the selector": {
			&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: impossible}, "shop", nil, "",
		},
		"Another may not by default": {
			nil, "cart", nil, "StatsigProject shop/checkout allows its own namespace only. " + remedy,
		},
		"Another may not with Same": {
			&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSame}, "cart", nil,
			"StatsigProject shop/checkout allows its own namespace only. " + remedy,
		},
		"Every other may with All": {&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll}, "cart", nil, ""},
		"One with the labels may": {
			&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: payments}, "cart",
			map[string]string{"team": "payments"}, "",
		},
		"One without the labels may not": {
			&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: payments}, "cart", map[string]string{"team": "search"},
			"StatsigProject shop/checkout allows namespaces that match team=payments; namespace cart does not. " + remedy,
		},
		"None may with a selector that cannot be": {
			&v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: impossible}, "cart", nil,
			"StatsigProject shop/checkout has an invalid spec.allowedNamespaces.selector: ",
		},
		"None may with a way that is not known": {
			&v1alpha1.AllowedNamespaces{From: "Some"}, "cart", nil, "StatsigProject shop/checkout allows ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			project := newProject("checkout").With(func(p *v1alpha1.StatsigProject) { p.Spec.AllowedNamespaces = tc.allowed }).Obj()
			namespace := metadataOf(namespaceKind)
			namespace.Name, namespace.Labels = tc.namespace, tc.labels
			got := whyNotPermitted(project, namespace)
			if (tc.want == "") != (got == "") || !strings.HasPrefix(got, tc.want) {
				t.Errorf("whyNotPermitted(): want %q, got %q", tc.want, got)
			}
		})
	}
}

func compiler(binding *v1alpha1.FlagBinding) func() (*subject.Program, error) {
	return func() (*subject.Program, error) {
		return compileUser(binding.Spec.Subject.Unit, binding.Spec.Subject.User, "spec.subject.")
	}
}

func TestUserExpressionsAreCompiledOnceForEachGeneration(t *testing.T) {
	var cache programCache[*subject.Program]
	binding := newBinding("a").UserID("workload.name").Obj()
	compile := func() *subject.Program {
		t.Helper()
		program, err := cache.compile(binding, compiler(binding))
		if err != nil {
			t.Fatal(err)
		}
		return program
	}
	first := compile()
	if compile() != first {
		t.Error("an unchanged binding is compiled again")
	}
	binding.Generation++
	second := compile()
	if second == first {
		t.Error("another generation has the program of the former")
	}
	binding.UID = "made-anew"
	if compile() == second {
		t.Error("another object of the same name and generation has the program of the former")
	}
	third := compile()
	cache.forget(types.NamespacedName{Namespace: "shop", Name: "a"})
	if len(cache.programs) != 0 || compile() == third {
		t.Error("a forgotten program is still held")
	}
	binding.Generation, binding.Spec.Subject.User.UserID = 9, "pod.name"
	for range 2 {
		_, err := cache.compile(binding, compiler(binding))
		if err == nil || !strings.HasPrefix(err.Error(), "spec.subject.user") {
			t.Errorf("an expression that reads what the unit has not: want an error that names the field, got %v", err)
		}
	}
}

func TestUserTemplatesAreTakenOver(t *testing.T) {
	if diff := cmp.Diff(subject.Template{Unit: subject.UnitPod}, userTemplate(v1alpha1.UnitPod, nil)); diff != "" {
		t.Errorf("without a user (-want +got):\n%s", diff)
	}
	got := userTemplate(v1alpha1.UnitWorkload, &v1alpha1.UserTemplate{
		UserID: "1", Email: "2", IP: "3", UserAgent: "4", Country: "5", Locale: "6", AppVersion: "7",
		CustomIDs: map[string]v1alpha1.Expression{"a": "8"}, Custom: map[string]v1alpha1.Expression{"b": "9"},
		PrivateAttributes: map[string]v1alpha1.Expression{"c": "10"},
	})
	want := subject.Template{
		Unit: subject.UnitWorkload, UserID: "1", Email: "2", IP: "3", UserAgent: "4", Country: "5", Locale: "6", AppVersion: "7",
		CustomIDs: map[string]string{"a": "8"}, Custom: map[string]string{"b": "9"}, PrivateAttributes: map[string]string{"c": "10"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with everything (-want +got):\n%s", diff)
	}
}

// A user must not depend on the values that were evaluated for it: they would change with every evaluation.
func TestExpressionsDoNotSeeWhatTheBindingWrites(t *testing.T) {
	object := newMetadata("example.com/v1", "Shop", "a")
	object.CreationTimestamp = metav1.NewTime(time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC))
	object.Labels = map[string]string{"team": "payments"}
	object.Annotations = map[string]string{
		"note": "x", podMarker("shop-flags"): "b91e04d7", podMarker("other"): "0a1b2c3d", "flags.example.com/on": "true",
	}
	prefixes := ownPrefixes(newBinding("shop-flags").Annotations("flags.example.com").Obj())
	before := maps.Clone(object.Annotations)
	want := &subject.Object{
		APIVersion: "example.com/v1", Kind: "Shop", Name: "a", Namespace: "shop", UID: "uid-of-Shop-a",
		CreationTimestamp: object.CreationTimestamp.Time, Labels: map[string]string{"team": "payments"},
		Annotations: map[string]string{"note": "x"},
	}
	if diff := cmp.Diff(want, subjectObject(object, prefixes)); diff != "" {
		t.Errorf("subjectObject() (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, object.Annotations); diff != "" {
		t.Errorf("the object itself was changed (-want +got):\n%s", diff)
	}
	delete(object.Annotations, podMarker("shop-flags"))
	delete(object.Annotations, podMarker("other"))
	delete(object.Annotations, "flags.example.com/on")
	if diff := cmp.Diff(want, subjectObject(object, prefixes)); diff != "" {
		t.Errorf("subjectObject() without any of it (-want +got):\n%s", diff)
	}
}
