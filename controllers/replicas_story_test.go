package controllers

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

const (
	storyGateToken  = "0123456789abcdef-gate"
	storyOFREPToken = "0123456789abcdef-ofrep"
)

// replica starts one of several operators, of which one at a time leads. All of them serve.
func (s *story) replica() *operator {
	s.t.Helper()
	return startOperator(s.t, operatorOptions{
		namespaces: []string{s.namespace}, snapshots: operatorNamespace, election: s.namespace, serves: true,
	})
}

func (s *story) awaitLeader(op *operator) {
	s.t.Helper()
	eventually(s.t, "the election", func(context.Context) string {
		select {
		case <-op.elected:
			return ""
		default:
			return "another one leads"
		}
	})
}

// objectWrites are an operator's writes to what belongs to the story, apart from what it asks about callers. In the
// operators' own namespace, that are the stored specs of its project: a new leader also sweeps those that other stories
// left.
func (s *story) objectWrites(op *operator, project *v1alpha1.StatsigProject) []write {
	s.t.Helper()
	s.read(project)
	return slices.DeleteFunc(op.requests.all(), func(w write) bool {
		return w.group == authenticationv1.GroupName || w.group == "authorization.k8s.io" ||
			(w.namespace == operatorNamespace && !strings.Contains(w.name, hashUID(project.UID)))
	})
}

// ask sends a request to a replica and returns the status and the body of the answer.
func (op *operator) ask(method, path, token string) (status int, body string) {
	r := httptest.NewRequest(method, path, strings.NewReader(`{"context":{"targetingKey":"ann"}}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	op.serving.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// awaitAnswer waits until a replica answers a request with 200 and something.
func (op *operator) awaitAnswer(t *testing.T, method, path, token, want string) {
	t.Helper()
	eventually(t, "the answer to "+path, func(context.Context) string {
		if status, body := op.ask(method, path, token); status != http.StatusOK || !strings.Contains(body, want) {
			return fmt.Sprintf("%d %s", status, body)
		}
		return ""
	})
}

// served are a project, a binding and a gate that opens with gate off, with a token for each of the latter two
// endpoints.
func (s *story) served() (*v1alpha1.StatsigProject, *v1alpha1.FlagBinding, *v1alpha1.RolloutGate) {
	s.t.Helper()
	tokens := &corev1.Secret{ObjectMeta: s.meta("tokens"), Data: map[string][]byte{
		"gate": []byte(storyGateToken), "ofrep": []byte(storyOFREPToken),
	}}
	project, binding := s.project(), s.simpleBinding()
	project.Spec.OFREP = &v1alpha1.OFREPSpec{
		TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "tokens", Key: "ofrep"},
		Exposures:      v1alpha1.ExposureDisabled, // each replica counts what it delivers, which status.events tells of the leader
	}
	gate := s.gate("release", "gate('off')", func(spec *v1alpha1.RolloutGateSpec) {
		spec.Access = &v1alpha1.GateAccess{TokenSecretRef: v1alpha1.SecretKeyRef{Name: "tokens", Key: "gate"}}
	})
	s.create(s.secretWithKey(), tokens, project, binding, gate)
	return project, binding, gate
}

func TestStoryReplicasTakeOver(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	project, binding, gate := s.served()
	gatePath, offPath := "/v1/gates/"+s.namespace+"/release", "/projects/"+s.namespace+"/project/ofrep/v1/evaluate/flags/off"
	first := s.replica()
	s.awaitLeader(first)
	s.awaitData("flags", simpleValues)
	s.awaitReady(project, binding)
	s.awaitGate(gate, v1alpha1.GateClosed, v1alpha1.ReasonGateClosed)
	stored := storedSecrets(s, project)
	eventually(t, "the stored specs", func(ctx context.Context) string {
		if got := stored(ctx); len(got) != 1 {
			return fmt.Sprintf("%d Secrets", len(got))
		}
		return ""
	})

	// A follower begins with what the leader has stored, and answers while Statsig is away.
	s.down()
	second := s.replica()
	second.awaitAnswer(t, http.MethodPost, offPath, storyOFREPToken, `"value":false`)
	second.awaitAnswer(t, http.MethodGet, gatePath, storyGateToken, `"state":"Closed"`)

	// It polls for itself, and its guard holds what the leader's holds.
	s.statsig.Heal(statsigtest.EndpointSpecs, statsigtest.EndpointIDLists)
	must(t, s.statsig.SetGate("off", true))
	s.awaitData("flags", flipped)
	second.awaitAnswer(t, http.MethodPost, offPath, storyOFREPToken, `"value":true`)
	second.awaitAnswer(t, http.MethodGet, gatePath, storyGateToken, `"state":"Open"`)
	change(s, project, func(p *v1alpha1.StatsigProject) {
		p.Spec.ChangeGuard = &v1alpha1.ChangeGuardSpec{MaxRemovedPercent: new(int32(10))}
	})
	s.awaitReady(project)
	s.settle(second)
	s.statsig.SetSpecs(evaltest.NewDocument(evaltest.NewGate("on")).Time(9000).JSON(t))
	s.awaitConditions(project, is{v1alpha1.ConditionSpecsFresh, metav1.ConditionUnknown, v1alpha1.ReasonHeld, ""})
	s.polled()
	second.awaitAnswer(t, http.MethodPost, offPath, storyOFREPToken, `"value":true`)
	s.statsig.SetSpecs(simpleSpecs().Time(10000).JSON(t))
	s.awaitData("flags", simpleValues)
	s.awaitReady(project, binding)
	s.awaitGate(gate, v1alpha1.GateClosed, v1alpha1.ReasonGateClosed)
	s.settle(first)
	s.settle(second)
	if writes := s.objectWrites(second, project); len(writes) > 0 {
		t.Errorf("a replica that does not lead wrote: %v", writes)
	}

	looks := second.activity.completed("statsigproject", s.namespace, "project")
	first.stop(t)
	s.awaitLeader(second)
	eventually(t, "the new leader's first reconciles", func(context.Context) string {
		if second.activity.completed("statsigproject", s.namespace, "project") == looks {
			return "the project was not looked at"
		}
		if second.activity.completed("flagbinding", s.namespace, "simple") == 0 || second.activity.completed("rolloutgate", s.namespace, "release") == 0 {
			return "the binding or the gate was not looked at"
		}
		return second.restlessness()
	})
	if writes := s.objectWrites(second, project); len(writes) > 0 {
		t.Errorf("a replica that took over wrote: %v", writes)
	}
	must(t, s.statsig.SetGate("off", true))
	s.awaitData("flags", flipped)
	s.awaitGate(gate, v1alpha1.GateOpen, v1alpha1.ReasonGateOpen)
	if failures := slices.Concat(first.activity.failures(), second.activity.failures()); len(failures) > 0 {
		t.Errorf("reconciles failed: %v", failures)
	}
}

// TestStoryANewLeaderWritesWhatNobodyWrote changes a project while the leader has no connection.
func TestStoryANewLeaderWritesWhatNobodyWrote(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	project, _, _ := s.served()
	first := s.replica()
	s.awaitLeader(first)
	second := s.replica()
	second.awaitAnswer(t, http.MethodGet, "/v1/gates/"+s.namespace+"/release", storyGateToken, `"state":"Closed"`)
	s.awaitReady(project)
	s.settle(first)
	first.requests.cut()
	change(s, project, func(p *v1alpha1.StatsigProject) { p.Spec.Suspend = true })
	s.settle(second)
	if writes := s.objectWrites(second, project); len(writes) > 0 {
		t.Errorf("a replica that does not lead wrote: %v", writes)
	}
	must(t, s.c.Delete(t.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: s.namespace}}))
	s.awaitLeader(second)
	s.awaitConditions(project, is{v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended, ""})
	first.stop(t)
}

func TestStoryAWebhookWakesTheReplicaThatItReaches(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	s.create(&corev1.Secret{ObjectMeta: s.meta("webhook"), Data: map[string][]byte{"secret": []byte("hush hush")}})
	project, _, _ := s.served()
	change(s, project, func(p *v1alpha1.StatsigProject) {
		p.Spec.Specs.Interval = &metav1.Duration{Duration: time.Hour}
		p.Spec.Webhook = &v1alpha1.WebhookSpec{SigningSecretRef: v1alpha1.SecretKeyRef{Name: "webhook", Key: "secret"}}
	})
	offPath := "/projects/" + s.namespace + "/project/ofrep/v1/evaluate/flags/off"
	first := s.replica()
	s.awaitLeader(first)
	s.awaitData("flags", simpleValues)
	second := s.replica()
	second.awaitAnswer(t, http.MethodPost, offPath, storyOFREPToken, `"value":false`)
	must(t, s.statsig.SetGate("off", true))
	if got := callWebhook(second, "hush hush", "/v1/webhooks/"+s.namespace+"/project"); got != http.StatusNoContent {
		t.Errorf("Statsig's call: %d", got)
	}
	second.awaitAnswer(t, http.MethodPost, offPath, storyOFREPToken, `"value":true`)
	if status, body := first.ask(http.MethodPost, offPath, storyOFREPToken); status != http.StatusOK || !strings.Contains(body, `"value":false`) {
		t.Errorf("the other replica: %d %s", status, body)
	}
}

// serviceAccountToken makes a service account, with roles in the story's namespace, and returns a token of it.
func (s *story) serviceAccountToken(name string, roles ...string) string {
	s.t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: s.meta(name)}
	s.create(account)
	for _, file := range roles {
		role := &rbacv1.ClusterRole{}
		must(s.t, readRBAC(file, role))
		local := &rbacv1.Role{ObjectMeta: s.meta(name + "-" + role.Name), Rules: role.Rules}
		s.create(local, &rbacv1.RoleBinding{
			ObjectMeta: s.meta(name + "-" + role.Name),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: local.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: s.namespace, Name: name}},
		})
	}
	request := &authenticationv1.TokenRequest{}
	must(s.t, s.c.SubResource("token").Create(s.t.Context(), account, request))
	return request.Status.Token
}

func TestStoryServiceAccountsAsk(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	_, _, gate := s.served()
	tokens := map[string]string{
		"reader": s.serviceAccountToken("reader", "gate_reader_role.yaml"), "evaluator": s.serviceAccountToken("evaluator", "evaluator_role.yaml"),
		"stranger": s.serviceAccountToken("stranger"), "nobody": "nobody-knows-this-token", "forged": "",
	}
	header, rest, _ := strings.Cut(tokens["reader"], ".")
	tokens["forged"] = header + "." + rest[:len(rest)-8] + "AAAAAAAA"
	first := s.replica()
	s.awaitLeader(first)
	s.awaitGate(gate, v1alpha1.GateClosed, v1alpha1.ReasonGateClosed)
	second := s.replica()
	gatePath, absent := "/v1/gates/"+s.namespace+"/release", "/v1/gates/"+s.namespace+"/absent"
	offPath := "/projects/" + s.namespace + "/project/ofrep/v1/evaluate/flags/off"
	for name, op := range map[string]*operator{"leader": first, "follower": second} {
		op.awaitAnswer(t, http.MethodGet, gatePath, storyGateToken, `"state":"Closed"`)
		op.awaitAnswer(t, http.MethodPost, offPath, storyOFREPToken, `"value":false`)
		for _, tc := range []struct {
			who, method, path string
			want              int
		}{
			{"reader", http.MethodGet, gatePath, 200},
			{"reader", http.MethodGet, absent, 200},
			{"reader", http.MethodPost, strings.Replace(gatePath, "gates", "flagger", 1), 403},
			{"reader", http.MethodPost, strings.Replace(gatePath, "gates", "flagger", 1) + "/closed", 200},
			{"reader", http.MethodGet, "/v1/gates/default/release", 403},
			{"reader", http.MethodPost, offPath, 403},
			{"evaluator", http.MethodPost, offPath, 200},
			{"evaluator", http.MethodGet, gatePath, 403},
			{"stranger", http.MethodGet, gatePath, 403},
			{"stranger", http.MethodGet, absent, 403},
			{"stranger", http.MethodPost, offPath, 403},
			{"nobody", http.MethodGet, gatePath, 401},
			{"forged", http.MethodGet, gatePath, 401},
			{"forged", http.MethodPost, offPath, 401},
		} {
			if status, body := op.ask(tc.method, tc.path, tokens[tc.who]); status != tc.want {
				t.Errorf("the %s answers %s at %s with %d %s, want %d", name, tc.who, tc.path, status, body, tc.want)
			}
		}
		text := op.log.String()
		if !strings.Contains(text, `"caller":"system:serviceaccount:`+s.namespace+`:reader"`) {
			t.Errorf("the log of the %s does not tell who asked", name)
		}
		for who, token := range tokens {
			if strings.Contains(text, token) {
				t.Errorf("the token of %s is in the log of the %s", who, name)
			}
		}
	}
}
