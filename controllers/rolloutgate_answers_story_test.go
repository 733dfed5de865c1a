package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

func TestStoryGatesWithoutAnAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		open    string
		project string
		// want is the condition that tells the problem, and unsure the reason of Ready while the gate is Unknown.
		want   is
		unsure string
	}{
		"A project that does not exist": {
			"gate('on')", "nowhere", isFor(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonRefNotFound, "/nowhere does not exist."),
			v1alpha1.ReasonRefNotFound,
		},
		"A gate that the specs lack": {
			"gate('on') && gate('none')", "project", isFor(v1alpha1.ConditionEvaluated, v1alpha1.ReasonEntityNotFound, "none"),
			v1alpha1.ReasonEntityNotFound,
		},
		"A parameter that a config lacks": {
			"config('limits').burst > 5", "project", isFor(v1alpha1.ConditionEvaluated, v1alpha1.ReasonValueNotFound, "burst"),
			v1alpha1.ReasonValueNotFound,
		},
		"An expression that does not compile": {
			"gate('on') &&\n  gate(namespace.name)", "project",
			isFor(v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "spec.open: 2:"), v1alpha1.ReasonInvalid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, op, _ := projectStory(t)
			to := func(spec *v1alpha1.RolloutGateSpec) { spec.ProjectRef.Name = tc.project }
			closed, open := s.gate("closed", tc.open, to), s.gate("open", tc.open, to, onFailure(v1alpha1.FailureOpen))
			last := s.gate("last", "gate('on')", onFailure(v1alpha1.FailureLastKnown))
			s.create(closed, open, last)
			s.awaitGate(closed, v1alpha1.GateUnknown, tc.unsure)
			s.awaitConditions(closed, tc.want)
			s.awaitGate(open, v1alpha1.GateOpen, v1alpha1.ReasonFailurePolicy)
			s.awaitConditions(open, tc.want)
			s.awaitGate(last, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
			change(s, last, func(g *v1alpha1.RolloutGate) { g.Spec.Open = tc.open; to(&g.Spec) })
			s.awaitGate(last, v1alpha1.GateOpen, v1alpha1.ReasonFailurePolicy)
			s.awaitConditions(last, tc.want)
			s.settle(op)
			if failures := op.activity.failures(); len(failures) > 0 {
				t.Errorf("reconciles failed: %v", failures)
			}
			change(s, closed, func(g *v1alpha1.RolloutGate) { g.Spec.Open, g.Spec.ProjectRef.Name = "gate('on')", "project" })
			s.awaitGate(closed, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
		})
	}
}

// What the specs lack may come, and so may a project.
func TestStoryAGateGetsItsAnswerWhenWhatItLackedComes(t *testing.T) {
	t.Parallel()
	s, _, _ := projectStory(t)
	missing, homeless := s.gate("missing", "gate('later')"), s.gate("homeless", "gate('on')")
	homeless.Spec.ProjectRef.Name = "second"
	s.create(missing, homeless)
	s.awaitGate(missing, v1alpha1.GateUnknown, v1alpha1.ReasonEntityNotFound)
	s.awaitGate(homeless, v1alpha1.GateUnknown, v1alpha1.ReasonRefNotFound)
	s.statsig.SetSpecs(simpleSpecs().Add(evaltest.NewGate("later").Rule(evaltest.NewRule("everyone"))).Time(2000).JSON(t))
	second := s.project()
	second.Name = "second"
	s.create(second)
	s.awaitGate(missing, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
	s.awaitGate(homeless, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
	s.delete(second)
	s.awaitGate(homeless, v1alpha1.GateUnknown, v1alpha1.ReasonRefNotFound)
}

func TestStoryAGateNeedsTheProjectsPermission(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	elsewhere := s.newNamespace("team", "payments")
	project := s.project()
	s.create(s.secretWithKey(), project)
	startOperator(t, operatorOptions{namespaces: []string{s.namespace, elsewhere}})
	g := s.gate("release", "gate('on')")
	g.Namespace, g.Spec.ProjectRef.Namespace = elsewhere, s.namespace
	s.create(g)
	s.awaitGate(g, v1alpha1.GateUnknown, v1alpha1.ReasonRefNotPermitted)
	s.awaitConditions(g,
		isFor(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonRefNotPermitted, "Ask its owner"),
		is{v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRefNotPermitted, ""})
	change(s, project, func(p *v1alpha1.StatsigProject) {
		p.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{
			From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "payments"}},
		}
	})
	s.awaitGate(g, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
}

func TestStorySpecsThatAreTooOldDecideNothing(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	project := s.project()
	project.Spec.Staleness = &v1alpha1.StalenessSpec{
		WarnAfter: &metav1.Duration{Duration: time.Second}, FailAfter: &metav1.Duration{Duration: 3 * time.Second},
	}
	closed, open := s.gate("closed", "gate('on')"), s.gate("open", "!gate('on')", onFailure(v1alpha1.FailureOpen))
	s.create(s.secretWithKey(), project, closed, open)
	s.operator()
	s.awaitGate(closed, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
	s.awaitGate(open, v1alpha1.GateClosed, v1alpha1.ReasonGateClosed)
	s.down()
	s.awaitGate(closed, v1alpha1.GateUnknown, v1alpha1.ReasonStale)
	s.awaitConditions(closed, isFor(v1alpha1.ConditionEvaluated, v1alpha1.ReasonStale, "for 3s."))
	s.awaitGate(open, v1alpha1.GateOpen, v1alpha1.ReasonFailurePolicy)
	s.statsig.Heal()
	s.awaitGate(closed, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
	s.awaitGate(open, v1alpha1.GateClosed, v1alpha1.ReasonGateClosed)
}
