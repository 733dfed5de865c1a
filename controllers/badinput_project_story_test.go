package controllers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// simpleSpecs is a document with the gate "on", which passes for everyone, the gate "off", and the config "limits".
func simpleSpecs() *evaltest.Document {
	return evaltest.NewDocument(
		evaltest.NewGate("on").Rule(evaltest.NewRule("everyone")),
		evaltest.NewGate("off"),
		evaltest.NewDynamicConfig("limits").Rule(evaltest.NewRule("limited").Return(map[string]any{"rps": 10})),
	).Time(1000)
}

// simpleBinding asks for what is in simpleSpecs, once for the namespace, in the ConfigMap "flags".
func (s *story) simpleBinding() *v1alpha1.FlagBinding {
	return s.binding("simple", asksGate("on", "on"), asksGate("off", "off"),
		asks(v1alpha1.Entry{Name: "rps", DynamicConfig: "limits", Parameter: "rps"}), toConfigMap("flags"))
}

var simpleValues = map[string]string{"on": "true", "off": "false", "rps": "10"}

// flipped are simpleValues after the gate "off" was opened.
var flipped = map[string]string{"on": "true", "off": "true", "rps": "10"}

var (
	projectSynced = is{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSynced, ""}
	specsFresh    = is{v1alpha1.ConditionSpecsFresh, metav1.ConditionTrue, v1alpha1.ReasonSynced, ""}
	keyAccepted   = is{v1alpha1.ConditionCredentialsValid, metav1.ConditionTrue, v1alpha1.ReasonAccepted, ""}
	applied       = is{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonApplied, ""}
	allEvaluated  = is{v1alpha1.ConditionEvaluated, metav1.ConditionTrue, v1alpha1.ReasonEvaluated, ""}
	allResolved   = is{v1alpha1.ConditionResolvedRefs, metav1.ConditionTrue, v1alpha1.ReasonResolved, ""}
)

// isFor is a condition that is False for a reason.
func isFor(conditionType, reason, says string) is {
	return is{conditionType, metav1.ConditionFalse, reason, says}
}

// stalledFor are the conditions of an object that waits for somebody to mend it.
func stalledFor(conditionType, reason, says string) []is {
	return []is{
		isFor(conditionType, reason, says), isFor(v1alpha1.ConditionReady, reason, says),
		{v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, says},
	}
}

// simpleStory is a story with an operator, the project and simpleBinding, which has come to its values.
func simpleStory(t *testing.T, edits ...func(*v1alpha1.StatsigProject)) (
	*story, *operator, *v1alpha1.StatsigProject, *v1alpha1.FlagBinding,
) {
	t.Helper()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	project, binding := s.project(), s.simpleBinding()
	for _, edit := range edits {
		edit(project)
	}
	s.create(s.secretWithKey(), project, binding)
	op := s.operator()
	s.awaitReady(project, binding)
	s.awaitData("flags", simpleValues)
	return s, op, project, binding
}

func TestStoryCredentials(t *testing.T) {
	t.Run("A Secret that is missing is named and taken up when it comes", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
		project, binding := s.project(), s.simpleBinding()
		s.create(project, binding)
		s.operator()
		s.awaitConditions(project, stalledFor(v1alpha1.ConditionCredentialsValid, v1alpha1.ReasonSecretNotFound, "statsig")...)
		s.awaitConditions(binding, isFor(v1alpha1.ConditionEvaluated, v1alpha1.ReasonSpecsUnavailable, "project"))
		s.awaitData("flags", map[string]string{"on": "false", "off": "false"})
		s.create(s.secretWithKey())
		s.awaitConditions(project, projectSynced, keyAccepted)
		s.awaitData("flags", simpleValues)
		s.awaitReady(binding)
	})
	t.Run("A Secret without the key is named and taken up when the key comes", func(t *testing.T) {
		t.Parallel()
		s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
		project, binding, secret := s.project(), s.simpleBinding(), s.secretWithKey()
		secret.Data = map[string][]byte{"another": []byte("x"), "sdkKey": []byte("\n")}
		s.create(secret, project, binding)
		s.operator()
		s.awaitConditions(project, stalledFor(v1alpha1.ConditionCredentialsValid, v1alpha1.ReasonKeyNotFound, "sdkKey")...)
		secret.Data["sdkKey"] = []byte(storyKey + "\n")
		must(t, s.c.Update(t.Context(), secret))
		s.awaitConditions(project, projectSynced, keyAccepted)
		s.awaitReady(binding)
	})
	t.Run("A Secret that vanishes costs nobody a value", func(t *testing.T) {
		t.Parallel()
		s, op, project, binding := simpleStory(t)
		secret := s.secretWithKey()
		s.delete(secret)
		// The Secret is looked at every five minutes, or when something else happens to the project.
		touch(s, binding)
		s.awaitConditions(project, stalledFor(v1alpha1.ConditionCredentialsValid, v1alpha1.ReasonSecretNotFound, "statsig")...)
		must(t, s.statsig.SetGate("off", true))
		s.awaitData("flags", flipped)
		s.awaitReady(binding)
		s.create(s.secretWithKey())
		s.awaitConditions(project, projectSynced, keyAccepted)
		s.settle(op)
		s.awaitData("flags", flipped)
	})
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		t.Run(http.StatusText(status)+" from Statsig is told, and values stay", func(t *testing.T) {
			t.Parallel()
			s, op, project, binding := simpleStory(t)
			s.fail(statsigtest.Failure{Endpoint: statsigtest.EndpointSpecs, Status: status})
			s.awaitConditions(project, stalledFor(v1alpha1.ConditionCredentialsValid, v1alpha1.ReasonUnauthorized, "statsig")...)
			must(t, s.statsig.SetGate("off", true))
			s.settle(op)
			s.awaitData("flags", simpleValues)
			s.awaitReady(binding)
			s.statsig.Heal()
			s.awaitConditions(project, projectSynced, keyAccepted)
			s.awaitData("flags", flipped)
		})
	}
	t.Run("A new key that is refused leaves the old one in use", func(t *testing.T) {
		t.Parallel()
		s, op, project, binding := simpleStory(t)
		secret := s.secretWithKey()
		change(s, secret, func(x *corev1.Secret) { x.Data["sdkKey"] = []byte("secret-NotThisOne0000000000") })
		touch(s, binding)
		s.awaitConditions(project, stalledFor(v1alpha1.ConditionCredentialsValid, v1alpha1.ReasonUnauthorized, "statsig")...)
		must(t, s.statsig.SetGate("off", true))
		s.awaitData("flags", flipped)
		s.settle(op)
		s.awaitReady(binding)
		change(s, secret, func(x *corev1.Secret) { x.Data["sdkKey"] = []byte(storyKey) })
		touch(s, binding)
		s.awaitConditions(project, projectSynced, keyAccepted)
		s.awaitReady(binding)
		s.awaitData("flags", flipped)
	})
}

// touch changes a binding's spec without changing what it asks for, so that it and its project are looked at.
func touch(s *story, binding *v1alpha1.FlagBinding) {
	s.t.Helper()
	change(s, binding, func(b *v1alpha1.FlagBinding) {
		every := metav1.Duration{Duration: 24 * time.Hour}
		if b.Spec.Exposures != nil {
			every.Duration = b.Spec.Exposures.RepeatEvery.Duration - time.Minute
		}
		b.Spec.Exposures = &v1alpha1.Exposures{RepeatEvery: &every}
	})
}

func TestStoryBadSpecs(t *testing.T) {
	later := func(t *testing.T) string {
		t.Helper()
		return string(simpleSpecs().Add(evaltest.NewGate("off").Rule(evaltest.NewRule("everyone"))).Time(2000).JSON(t))
	}
	tests := map[string]struct {
		document func(t *testing.T) string
		reason   string
	}{
		"Specs that are not JSON are refused": {
			document: func(*testing.T) string { return "<html>Sign in to the guest network</html>" },
			reason:   v1alpha1.ReasonMalformed,
		},
		"Specs that are cut off are refused": {
			document: func(t *testing.T) string { text := later(t); return text[:len(text)-len(text)/3] },
			reason:   v1alpha1.ReasonMalformed,
		},
		"An empty answer is refused": {
			document: func(*testing.T) string { return "" },
			reason:   v1alpha1.ReasonMalformed,
		},
		"JSON of another shape is refused": {
			document: func(*testing.T) string {
				return `{"has_updates":true,"time":2000,"feature_gates":[1,2],"dynamic_configs":"none"}`
			},
			reason: v1alpha1.ReasonMalformed,
		},
		"JSON that is no object is refused": {
			document: func(*testing.T) string { return `[]` },
			reason:   v1alpha1.ReasonMalformed,
		},
		"Specs made for another SDK key are refused": {
			document: func(t *testing.T) string {
				return strings.Replace(later(t), "{", `{"hashed_sdk_key_used":"12345",`, 1)
			},
			reason: v1alpha1.ReasonWrongProject,
		},
	}
	for name, tc := range tests {
		t.Run(name+", and the previous ones serve", func(t *testing.T) {
			t.Parallel()
			s, op, project, binding := simpleStory(t)
			before := s.configMap("flags")
			s.read(before)
			s.statsig.SetSpecs([]byte(tc.document(t)))
			s.awaitConditions(project, isFor(v1alpha1.ConditionSpecsFresh, tc.reason, "previous ones stay"), keyAccepted,
				isFor(v1alpha1.ConditionReady, tc.reason, ""))
			s.settle(op)
			after := s.configMap("flags")
			s.read(after)
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the ConfigMap changed (-before +after):\n%s", diff)
			}
			// A binding that comes now is served as well.
			late := s.binding("late", asksGate("on", "on"), toConfigMap("late"))
			s.create(late)
			s.awaitReady(late, binding)
			s.awaitData("late", map[string]string{"on": "true"})
			s.statsig.SetSpecs([]byte(later(t)))
			s.awaitConditions(project, projectSynced, specsFresh)
			s.awaitData("flags", flipped)
		})
	}
	t.Run("Answers that break off count as an outage", func(t *testing.T) {
		t.Parallel()
		s, _, project, binding := simpleStory(t, func(p *v1alpha1.StatsigProject) {
			p.Spec.Staleness = &v1alpha1.StalenessSpec{
				WarnAfter: &metav1.Duration{Duration: time.Second}, FailAfter: &metav1.Duration{Duration: 3 * time.Second},
			}
		})
		s.statsig.SetSpecs([]byte(later(t)))
		s.fail(statsigtest.Failure{Endpoint: statsigtest.EndpointSpecs, TruncateAfter: 100})
		s.awaitConditions(project, is{v1alpha1.ConditionSpecsFresh, metav1.ConditionUnknown, v1alpha1.ReasonLate, "stay in use"},
			is{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonLate, ""})
		s.awaitConditions(project, isFor(v1alpha1.ConditionSpecsFresh, v1alpha1.ReasonStale, "stay in use"),
			isFor(v1alpha1.ConditionReady, v1alpha1.ReasonStale, ""))
		s.awaitData("flags", simpleValues)
		s.awaitReady(binding)
		s.statsig.Heal()
		s.awaitConditions(project, projectSynced, specsFresh)
		s.awaitData("flags", flipped)
	})
	t.Run("One malformed spec is left out and named, and the rest serve", func(t *testing.T) {
		t.Parallel()
		s, op, project, binding := simpleStory(t)
		broken := strings.Replace(later(t), `"feature_gates":{`, `"feature_gates":{"broken":{"rules":17},"on":42,`, 1)
		broken = strings.Replace(broken, `"on":{`, `"on_before":{`, 1)
		s.statsig.SetSpecs([]byte(broken))
		await(s, project, "the skipped specs", func(p *v1alpha1.StatsigProject) string {
			if p.Status.Specs == nil {
				return "no specs"
			}
			var names []string
			for _, skipped := range p.Status.Specs.SkippedSpecs {
				names = append(names, skipped.Kind+" "+skipped.Name)
				if skipped.Message == "" {
					return "no message for " + skipped.Name
				}
			}
			return cmp.Diff([]string{"Gate broken", "Gate on"}, names) + cmp.Diff(int32(2), p.Status.Specs.Skipped)
		})
		s.awaitData("flags", flipped) // "off" is served anew, "on" keeps its value
		s.awaitConditions(binding, isFor(v1alpha1.ConditionEvaluated, v1alpha1.ReasonEntityNotFound, "Gate on"))
		s.awaitConditions(project, projectSynced)
		s.settle(op)
		s.statsig.SetSpecs([]byte(strings.Replace(later(t), `"time":2000`, `"time":3000`, 1)))
		s.awaitConditions(binding, applied, allEvaluated)
		await(s, project, "the end of the list", func(p *v1alpha1.StatsigProject) string {
			return cmp.Diff([]v1alpha1.SkippedSpec(nil), p.Status.Specs.SkippedSpecs)
		})
	})
}
