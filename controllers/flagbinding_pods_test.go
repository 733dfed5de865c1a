package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/render"
)

// applyConflict is what an apply without force gets from the API server.
func applyConflict(causes ...metav1.StatusCause) error {
	return apierrors.NewApplyConflict(causes, "Apply failed with 1 conflict")
}

func TestConflictsAreToldFromOtherTrouble(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	byHelm := metav1.StatusCause{
		Type: metav1.CauseTypeFieldManagerConflict, Message: `conflict with "helm" using v1`, Field: ".metadata.annotations.a",
	}
	for name, tc := range map[string]struct {
		err         error
		wantManager string
		wantGone    bool
	}{
		"No trouble at all":                         {nil, "", false},
		"A field of somebody else's":                {applyConflict(byHelm), "helm", false},
		"It is found in a wrapped error":            {fmt.Errorf("applying: %w", applyConflict(byHelm)), "helm", false},
		"It is found behind another cause":          {applyConflict(metav1.StatusCause{Type: "Other"}, byHelm), "helm", false},
		"A pod that was replaced by another":        {apierrors.NewConflict(pods, "a", errors.New("uid mismatch")), "", true},
		"A pod that is gone":                        {apierrors.NewNotFound(pods, "a"), "", true},
		"The API server is away":                    {apierrors.NewServiceUnavailable("away"), "", false},
		"An error that the API server did not give": {errors.New("no route"), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := conflictingManager(tc.err); got != tc.wantManager {
				t.Errorf("conflictingManager(): want %q, got %q", tc.wantManager, got)
			}
			if got := isGone(tc.err); got != tc.wantGone {
				t.Errorf("isGone(): want %v, got %v", tc.wantGone, got)
			}
		})
	}
}

// Names of bindings have up to 253 characters; annotations and field managers have room for less.
func TestMarkersAndManagersFitAndDiffer(t *testing.T) {
	long := strings.Repeat("a", 240)
	names := []string{
		"shop-flags", strings.Repeat("b", 63), strings.Repeat("b", 64), long + "-1", long + "-2",
		strings.Repeat("c.", 100) + "d", strings.Repeat("c", 51) + "-" + strings.Repeat("d", 50), strings.Repeat("e", 253),
	}
	markers, managers := map[string]string{}, map[string]string{}
	for _, name := range names {
		marker, manager := podMarker(name), annotateManager(name)
		if problems := validation.IsQualifiedName(marker); len(problems) > 0 {
			t.Errorf("podMarker(%q) = %q is no annotation: %v", name, marker, problems)
		}
		if len(manager) > 128 || !strings.HasPrefix(manager, "statsig-operator/annotate/") {
			t.Errorf("annotateManager(%q) = %q, of %d characters", name, manager, len(manager))
		}
		if other := markers[marker] + managers[manager]; other != "" {
			t.Errorf("%q and %q share marker %q or manager %q", name, other, marker, manager)
		}
		markers[marker], managers[manager] = name, name
	}
	if got, want := podMarker("shop-flags"), "hash.flags.statsig-operator.dev/shop-flags"; got != want {
		t.Errorf("podMarker() of a name that fits: want %s, got %s", want, got)
	}
	if got, want := annotateManager("shop-flags"), "statsig-operator/annotate/shop-flags"; got != want {
		t.Errorf("annotateManager() of a name that fits: want %s, got %s", want, got)
	}
}

func TestPodsGetTheAnnotationsOfEveryTarget(t *testing.T) {
	tooLarge := strings.Repeat("x", render.MaxAnnotationsSize)
	const hash = "hash.flags.statsig-operator.dev/a"
	nope := v1alpha1.Entry{Name: "kept", Gate: "nope", Default: rawJSON("7")}
	for name, tc := range map[string]struct {
		binding    *bindingBuilder
		held       map[string]string
		want       map[string]string
		wantReason []string
	}{
		"Values stand under the prefix": {
			newBinding("a").Gate("on").Annotations("flags.example.com"), nil, map[string]string{"flags.example.com/on": "true"}, []string{""},
		},
		"Every target has its prefix, ConfigMaps have none": {
			newBinding("a").Gate("on").ConfigMap("f").Annotations("a.example.com").Annotations("b.example.com"), nil,
			map[string]string{"a.example.com/on": "true", "b.example.com/on": "true"}, []string{"", "", ""},
		},
		"A value that cannot be evaluated is kept, from each pod's own": {
			newBinding("a").Entry(nope).Annotations("flags.example.com"), map[string]string{"flags.example.com/kept": "3", "other/x": "1"},
			map[string]string{"flags.example.com/kept": "3"}, []string{""},
		},
		"Without one the default stands": {
			newBinding("a").Entry(nope).Annotations("flags.example.com"), nil, map[string]string{"flags.example.com/kept": "7"}, []string{""},
		},
		"What does not fit leaves what was there, and the other targets": {
			newBinding("a").Gate("on").Entry(v1alpha1.Entry{Name: "big", Gate: "nope", Default: rawJSON(`"` + tooLarge + `"`)}).
				Annotations("flags.example.com"),
			map[string]string{"flags.example.com/on": "false", "flags.example.com.evil/on": "1"},
			map[string]string{"flags.example.com/on": "false"}, []string{v1alpha1.ReasonTargetTooLarge},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDeployment("checkout", "checkout-0")
			w.pods[0].Annotations = tc.held
			s := newScope(t, tc.binding.Obj(), evaltest.Compile(t, everyKind()), w)
			s.units = buildUnits(s.binding, s.workloads)
			evaluateUnits(s, "test-cluster")
			for _, target := range s.binding.Spec.Targets {
				s.targets = append(s.targets, targetOutcome{name: target.Name})
			}
			got := desiredAnnotations(s, &s.units[0], w.pods[0])
			if len(got[hash]) != 8 || got[hash] != render.ShortHash(render.Hash(tc.want)) {
				t.Errorf("%s: want the hash of the values, got %q", hash, got[hash])
			}
			delete(got, hash)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			var reasons []string
			for _, target := range s.targets {
				reasons = append(reasons, target.reason)
			}
			if diff := cmp.Diff(tc.wantReason, reasons); diff != "" {
				t.Errorf("reasons of the targets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPodsThatHaveTheAnnotationsAreLeftAlone(t *testing.T) {
	pod := newMetadata("v1", "Pod", "a")
	pod.Annotations = map[string]string{"a": "1", "b": "", "c": "3"}
	for name, tc := range map[string]struct {
		desired map[string]string
		want    bool
	}{
		"All are there, and others":              {map[string]string{"a": "1", "b": ""}, true},
		"One has another value":                  {map[string]string{"a": "2"}, false},
		"One is missing":                         {map[string]string{"a": "1", "d": ""}, false},
		"Nothing is desired, so nothing differs": {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hasAnnotations(pod, tc.desired); got != tc.want {
				t.Errorf("hasAnnotations(): want %v, got %v", tc.want, got)
			}
		})
	}
}
