package controllers

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

var keyRefused = is{v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonUnauthorized, "values that were written stay"}

func TestStoryANewKeyIsTriedWhileTheOldOneServes(t *testing.T) {
	t.Parallel()
	const second = "secret-SecondKey0OfTheTests"
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t), Keys: []secret.Key{secret.NewKey(storyKey), secret.NewKey(second)}})
	keys := func(name, key string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: s.meta(name), Data: map[string][]byte{"sdkKey": []byte(key)}}
	}
	project, binding := s.project(), s.simpleBinding()
	s.create(s.secretWithKey(), keys("refused", "secret-Nobody0Knows0This0One"), keys("second", second), project, binding)
	s.operator()
	s.awaitData("flags", simpleValues)
	s.awaitConditions(project, projectSynced)

	change(s, project, func(p *v1alpha1.StatsigProject) { p.Spec.SDKKeySecretRef.Name = "refused" })
	s.awaitConditions(project, keyRefused)
	must(t, s.statsig.SetGate("off", true))
	s.awaitData("flags", flipped)

	change(s, project, func(p *v1alpha1.StatsigProject) { p.Spec.SDKKeySecretRef.Name = "second" })
	s.awaitConditions(project, projectSynced)
	must(t, s.statsig.SetGate("off", false))
	s.awaitData("flags", simpleValues)
	s.awaitReady(project, binding)
}

func TestStoryStoredSpecsServeWhileStatsigIsAway(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t), IDLists: map[string][]string{"people": {"ann"}}})
	options := operatorOptions{namespaces: []string{s.namespace}, snapshots: operatorNamespace}
	project := s.project()
	s.create(s.secretWithKey(), project, s.simpleBinding())
	first := startOperator(t, options)
	s.awaitData("flags", simpleValues)
	secrets := storedSecrets(s, project)
	eventually(t, "the stored specs", func(ctx context.Context) string {
		if got := secrets(ctx); len(got) != 1 {
			s.read(project)
			return fmt.Sprintf("%d Secrets: %v", len(got), project.Status.Conditions)
		}
		return ""
	})
	for _, stored := range secrets(t.Context()) {
		for key, value := range stored.Data {
			if strings.Contains(string(value), storyKey) {
				t.Errorf("the stored specs have the SDK key under %s", key)
			}
		}
	}
	first.stop(t)

	s.down()
	late := s.binding("late", asksGate("on", "on"), toConfigMap("late"))
	s.create(late)
	second := startOperator(t, options)
	s.awaitData("late", map[string]string{"on": "true"})
	await(s, project, "the source", func(p *v1alpha1.StatsigProject) string {
		if p.Status.Specs == nil || p.Status.Specs.Source != "Store" {
			return fmt.Sprintf("%+v", p.Status.Specs)
		}
		return ""
	})
	s.statsig.Heal(statsigtest.EndpointSpecs, statsigtest.EndpointIDLists)
	await(s, project, "the source", func(p *v1alpha1.StatsigProject) string {
		if p.Status.Specs.Source != "HTTP" {
			return p.Status.Specs.Source
		}
		return ""
	})

	// Nobody sees this project go: whoever starts next finds out.
	left := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: operatorNamespace, Name: "left-by-" + s.namespace, Annotations: map[string]string{snapshotProject: s.namespace + "/gone"},
		Labels: map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, snapshotLabel: hashUID("uid-of-one-that-is-gone")},
	}}
	s.create(left)
	second.stop(t)
	startOperator(t, options)
	s.gone(left)
	if got := secrets(t.Context()); len(got) != 1 {
		t.Errorf("%d Secrets of a project that is still there", len(got))
	}

	s.delete(project)
	eventually(t, "the end of the stored specs", func(ctx context.Context) string {
		if got := secrets(ctx); len(got) != 0 {
			return fmt.Sprintf("%d Secrets", len(got))
		}
		return ""
	})
}

// storedSecrets lists the Secrets that keep a project's specs.
func storedSecrets(s *story, project *v1alpha1.StatsigProject) func(context.Context) []corev1.Secret {
	s.read(project)
	uid := hashUID(project.UID)
	return func(ctx context.Context) []corev1.Secret {
		list := &corev1.SecretList{}
		must(s.t, s.c.List(ctx, list, client.InNamespace(operatorNamespace), client.MatchingLabels{snapshotLabel: uid}))
		return list.Items
	}
}

func TestStoryChangeGuard(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	project, binding := s.project(), s.simpleBinding()
	project.Spec.ChangeGuard = &v1alpha1.ChangeGuardSpec{MaxRemovedPercent: new(int32(10))}
	s.create(s.secretWithKey(), project, binding)
	op := s.operator()
	s.awaitData("flags", simpleValues)
	s.awaitReady(binding)

	smaller := evaltest.NewDocument(evaltest.NewGate("on"), evaltest.NewDynamicConfig("limits")).Time(3000)
	s.statsig.SetSpecs(smaller.JSON(t))
	s.awaitConditions(project,
		is{v1alpha1.ConditionSpecsFresh, metav1.ConditionUnknown, v1alpha1.ReasonHeld, "they would remove 1 of 3 entities, more than 10 percent"},
		is{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonHeld, "The previous ones stay in use"})
	held := project.Status.Held
	if held == nil || held.Removed != 1 || held.Changed != 3 || held.AffectedUnits != 1 || held.Hash == "" {
		t.Fatalf("status.held: %+v", held)
	}
	s.polled()
	s.settle(op)
	s.awaitData("flags", simpleValues)

	change(s, project, func(p *v1alpha1.StatsigProject) {
		p.Annotations = map[string]string{v1alpha1.ApproveAnnotation: held.Hash}
	})
	s.awaitConditions(project, projectSynced)
	s.awaitData("flags", map[string]string{"on": "false", "off": "false", "rps": "10"})
	if project.Status.Held != nil {
		t.Errorf("status.held: %+v", project.Status.Held)
	}
}

func TestStoryWebhook(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	project := s.project()
	project.Spec.Specs.Interval = &metav1.Duration{Duration: time.Hour}
	project.Spec.Webhook = &v1alpha1.WebhookSpec{SigningSecretRef: v1alpha1.SecretKeyRef{Name: "webhook", Key: "secret"}}
	s.create(s.secretWithKey(), project, s.simpleBinding())
	op := s.operator()
	s.awaitConditions(project, is{v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRefNotFound, "Secret webhook does not exist."})
	s.create(&corev1.Secret{ObjectMeta: s.meta("webhook"), Data: map[string][]byte{"secret": []byte("hush hush\n")}})
	change(s, project, func(p *v1alpha1.StatsigProject) { p.Spec.Specs.Interval.Duration = 2 * time.Hour }) // to have it looked at
	s.awaitData("flags", simpleValues)

	path := "/v1/webhooks/" + s.namespace + "/project"
	if got := callWebhook(op, "hush hush", "/v1/webhooks/"+s.namespace+"/another"); got != http.StatusNotFound {
		t.Errorf("a call for a project that does not exist: %d", got)
	}
	asked := s.statsig.RequestCount(statsigtest.EndpointSpecs)
	must(t, s.statsig.SetGate("off", true))
	if got := callWebhook(op, "a guess", path); got != http.StatusUnauthorized {
		t.Errorf("a call by somebody else: %d", got)
	}
	if got := s.statsig.RequestCount(statsigtest.EndpointSpecs); got != asked {
		t.Errorf("a call by somebody else made %d requests", got-asked)
	}
	if got := callWebhook(op, "hush hush", path); got != http.StatusNoContent {
		t.Errorf("Statsig's call: %d", got)
	}
	s.awaitData("flags", flipped)
}

// callWebhook calls as Statsig would with this secret.
func callWebhook(op *operator, secret, path string) int {
	const body = `{"data":[]}`
	at := strconv.FormatInt(time.Now().UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v0:%s:%s", at, body)
	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Statsig-Request-Timestamp", at)
	request.Header.Set("X-Statsig-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	answer := httptest.NewRecorder()
	op.webhooks.ServeHTTP(answer, request)
	return answer.Code
}

func TestStoryEventsSurviveTheirOperator(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	options := operatorOptions{namespaces: []string{s.namespace}, spool: t.TempDir()}
	project, binding := s.project(), s.binding("simple", asksGate("on", "on"), toConfigMap("flags"))
	s.fail(statsigtest.Failure{Endpoint: statsigtest.EndpointEvents, Status: http.StatusServiceUnavailable})
	s.create(s.secretWithKey(), project, binding)
	first := startOperator(t, options)
	s.awaitConditions(project, is{v1alpha1.ConditionEventsFlowing, metav1.ConditionFalse, v1alpha1.ReasonDeliveryFailed, "retried"})
	first.stop(t)
	if events := s.statsig.Events(); len(events) > 0 {
		t.Fatalf("%d events were delivered", len(events))
	}

	// The next operator tells the exposure anew, for it does not know what was told, and delivers what the first one left.
	s.statsig.Heal(statsigtest.EndpointEvents)
	startOperator(t, options)
	events, err := s.statsig.WaitForEvents(t.Context(), 2)
	must(t, err)
	for _, event := range events {
		if event.Metadata["gate"] != "on" {
			t.Errorf("an event that nobody logged: %s", event.Raw)
		}
	}
	s.awaitConditions(project, is{v1alpha1.ConditionEventsFlowing, metav1.ConditionTrue, v1alpha1.ReasonDelivered, ""})
}
