package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

const (
	// gateToken admits to the gate release; annToken and bobToken are of users of whom only ann has rights.
	gateToken = "0123456789abcdef-of-release"
	annToken  = "token-of-ann"
	bobToken  = "token-of-bob"
)

// served is a server over a cluster in memory, with an API server that knows ann and bob.
type served struct {
	handler  http.Handler
	cluster  client.WithWatch
	runtimes *Runtimes
	// asks is what the server asks the API server with.
	asks client.Client
	// reads, tokens and rights count the Secrets read, the tokens reviewed and the rights reviewed.
	reads, tokens, rights atomic.Int64
	// away is what the API server says instead of an answer; noSecrets is what it says to who reads a Secret.
	away, noSecrets error
	// slow is how long it takes for that.
	slow   time.Duration
	synced bool
	now    time.Time
	log    lockedBuffer
}

// newServed serves these objects. Without a registry nothing runs for any project.
func newServed(t testing.TB, runtimes *Runtimes, qps float64, objects ...client.Object) *served {
	t.Helper()
	s := &served{cluster: fakeCluster(t, objects...), synced: true, now: noon}
	s.asks = interceptor.NewClient(s.cluster, interceptor.Funcs{Get: s.get, Create: s.create})
	if runtimes == nil {
		runtimes = NewRuntimes(&secret.Scrubber{}, "test", "")
		runtimes.Now = func() time.Time { return s.now }
	}
	s.runtimes = runtimes
	log := funcr.NewJSON(func(line string) { fmt.Fprintln(&s.log, line) }, funcr.Options{Verbosity: 9})
	var err error
	s.handler, err = newServer(s.cluster, s.asks, runtimes, func() bool { return s.synced }, ServingOptions{QPS: qps, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *served) get(
	ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption,
) error {
	s.reads.Add(1)
	if err := s.unwell(ctx); err != nil {
		return err
	}
	if s.noSecrets != nil {
		return s.noSecrets
	}
	return c.Get(ctx, key, o, options...)
}

// unwell is what the API server answers, after a while, when it can't do what it is asked for.
func (s *served) unwell(ctx context.Context) error {
	if s.slow == 0 {
		return s.away
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.slow):
		return s.away
	}
}

// create answers reviews: ann may get the gates of namespace shop and evaluate the project checkout there, bob may do
// nothing.
func (s *served) create(ctx context.Context, _ client.WithWatch, o client.Object, _ ...client.CreateOption) error {
	if err := s.unwell(ctx); err != nil {
		return err
	}
	switch review := o.(type) {
	case *authenticationv1.TokenReview:
		s.tokens.Add(1)
		if name, known := strings.CutPrefix(review.Spec.Token, "token-of-"); known {
			review.Status.Authenticated = true
			review.Status.User = authenticationv1.UserInfo{Username: name, Groups: []string{"people"}}
		} else {
			review.Status.Error = "invalid bearer token"
		}
	case *authorizationv1.SubjectAccessReview:
		s.rights.Add(1)
		a := review.Spec.ResourceAttributes
		asked := strings.Join([]string{a.Verb, a.Group, a.Resource, a.Subresource, a.Namespace}, " ")
		review.Status.Allowed = review.Spec.User == "ann" && cmp.Equal(review.Spec.Groups, []string{"people"}) &&
			(asked == "get flags.statsig-operator.dev rolloutgates  shop" ||
				asked+a.Name == "create flags.statsig-operator.dev statsigprojects evaluations shop"+"checkout")
	default:
		return fmt.Errorf("a server creates %T", o)
	}
	return nil
}

// ask sends a request with a token, unless that is empty, from some address.
func (s *served) ask(method, path, token string, from ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader("{}"))
	r.RemoteAddr = "10.0.0.1:1234"
	if len(from) > 0 {
		r.RemoteAddr = from[0] + ":1234"
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// servedGate is the gate shop/release in a state, evaluated; its token is in the Secret release.
func servedGate(state v1alpha1.GateState) *v1alpha1.RolloutGate {
	return &v1alpha1.RolloutGate{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "release", Generation: 2},
		Spec: v1alpha1.RolloutGateSpec{
			Access: &v1alpha1.GateAccess{TokenSecretRef: v1alpha1.SecretKeyRef{Name: "release", Key: "token"}},
		},
		Status: v1alpha1.RolloutGateStatus{
			ObservedGeneration: 2, State: state, Reason: "gate release = true (rule r)", Since: timeOf(noon.Add(-time.Hour)),
		},
	}
}

func tokenSecret(token string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "release"}, Data: map[string][]byte{"token": []byte(token + "\n")},
	}
}

const (
	gatePath    = "/v1/gates/shop/release"
	flaggerPath = "/v1/flagger/shop/release"
	absentPath  = "/v1/gates/shop/absent"
)

func TestStatesAreServed(t *testing.T) {
	stalled := servedGate(v1alpha1.GateClosed)
	stalled.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue}}
	changed := servedGate(v1alpha1.GateOpen)
	changed.Generation++
	fresh := servedGate("")
	fresh.Status.Since = nil
	for name, tc := range map[string]struct {
		gate                   *v1alpha1.RolloutGate
		want                   string
		wantFlagger, wantClose int
	}{
		"An open gate": {
			gate: servedGate(v1alpha1.GateOpen), wantFlagger: 200, wantClose: 403,
			want: `{"state":"Open","reason":"gate release = true (rule r)","since":"2026-03-01T11:00:00Z","stalled":false}`,
		},
		"A closed gate": {
			gate: servedGate(v1alpha1.GateClosed), wantFlagger: 403, wantClose: 200,
			want: `{"state":"Closed","reason":"gate release = true (rule r)","since":"2026-03-01T11:00:00Z","stalled":false}`,
		},
		"A gate that is stalled": {
			gate: stalled, wantFlagger: 403, wantClose: 200,
			want: `{"state":"Closed","reason":"gate release = true (rule r)","since":"2026-03-01T11:00:00Z","stalled":true}`,
		},
		"A gate without answer": {
			gate: servedGate(v1alpha1.GateUnknown), wantFlagger: 503, wantClose: 503,
			want: `{"state":"Unknown","reason":"gate release = true (rule r)","since":"2026-03-01T11:00:00Z","stalled":false}`,
		},
		"A gate that has changed since": {
			gate: changed, wantFlagger: 503, wantClose: 503, want: `{"state":"Unknown","reason":"not evaluated yet","stalled":false}`,
		},
		"A gate that is new": {
			gate: fresh, wantFlagger: 503, wantClose: 503, want: `{"state":"Unknown","reason":"not evaluated yet","stalled":false}`,
		},
		"No gate": {
			wantFlagger: 503, wantClose: 503, want: `{"state":"Unknown","reason":"there is no such RolloutGate","stalled":false}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServed(t, nil, 0)
			if tc.gate != nil {
				s = newServed(t, nil, 0, tc.gate)
			}
			got := s.ask(http.MethodGet, gatePath, annToken)
			if got.Code != http.StatusOK || strings.TrimSpace(got.Body.String()) != tc.want {
				t.Errorf("got %d %s\nwant 200 %s", got.Code, got.Body, tc.want)
			}
			if h := got.Header(); h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("headers: %v", h)
			}
			for path, want := range map[string]int{flaggerPath: tc.wantFlagger, flaggerPath + "/closed": tc.wantClose} {
				if got := s.ask(http.MethodPost, path, annToken); got.Code != want || strings.TrimSpace(got.Body.String()) != tc.want {
					t.Errorf("%s: got %d %s, want %d", path, got.Code, got.Body, want)
				}
			}
		})
	}
}

func TestOnlyThePermittedAreAnswered(t *testing.T) {
	for name, tc := range map[string]struct {
		method, path, token string
		want                int
	}{
		"The gate's own token":                     {path: gatePath, token: gateToken, want: 200},
		"The gate's own token at another gate":     {path: "/v1/gates/shop/other", token: gateToken, want: 401},
		"The gate's own token, cut":                {path: gatePath, token: gateToken[:20], want: 401},
		"A user with the right":                    {path: gatePath, token: annToken, want: 200},
		"A user with the right, in vain":           {path: absentPath, token: annToken, want: 200},
		"A user without it":                        {path: gatePath, token: bobToken, want: 403},
		"A user without it learns nothing":         {path: absentPath, token: bobToken, want: 403},
		"A user with the right elsewhere":          {path: "/v1/gates/bank/release", token: annToken, want: 403},
		"A stranger":                               {path: gatePath, token: "who", want: 401},
		"A stranger learns nothing":                {path: absentPath, token: "who", want: 401},
		"Nobody":                                   {path: gatePath, want: 401},
		"Nobody learns nothing":                    {path: absentPath, want: 401},
		"Flagger with the gate's token":            {method: http.MethodPost, path: flaggerPath, token: gateToken, want: 200},
		"Flagger without right":                    {method: http.MethodPost, path: flaggerPath, token: bobToken, want: 403},
		"Flagger without token":                    {method: http.MethodPost, path: flaggerPath + "/closed", want: 401},
		"Another method":                           {method: http.MethodPost, path: gatePath, token: gateToken, want: 405},
		"Flagger asks with POST":                   {path: flaggerPath, token: gateToken, want: 405},
		"Another path":                             {path: "/v1/gates/shop", token: annToken, want: 404},
		"What can't be a name":                     {path: "/v1/gates/shop/Not%20a%20name", token: annToken, want: 404},
		"What can't be a name leads nowhere":       {path: "/v1/gates/shop/..%2F..%2Fsecrets", token: annToken, want: 404},
		"A project that does not evaluate":         {method: http.MethodPost, path: "/projects/shop/closed/ofrep/v1/evaluate/flags", token: annToken, want: 404},
		"A project that does not evaluate, nobody": {method: http.MethodPost, path: "/projects/shop/closed/ofrep/v1/evaluate/flags", want: 404},
		"A project that does not exist":            {method: http.MethodPost, path: "/projects/shop/absent/ofrep/v1/evaluate/flags", want: 404},
		"An evaluation without token":              {method: http.MethodPost, path: "/projects/shop/checkout/ofrep/v1/evaluate/flags", want: 401},
		"An evaluation without right":              {method: http.MethodPost, path: "/projects/shop/checkout/ofrep/v1/evaluate/flags", token: bobToken, want: 403},
		"An evaluation with a gate's token":        {method: http.MethodPost, path: "/projects/shop/checkout/ofrep/v1/evaluate/flags", token: gateToken, want: 401},
	} {
		t.Run(name, func(t *testing.T) {
			other := servedGate(v1alpha1.GateOpen)
			other.Name, other.Spec.Access = "other", nil
			evaluates := newProject("checkout").With(func(p *v1alpha1.StatsigProject) { p.Spec.OFREP = &v1alpha1.OFREPSpec{} }).Obj()
			s := newServed(t, nil, 0, servedGate(v1alpha1.GateOpen), other, tokenSecret(gateToken), evaluates, newProject("closed").Obj())
			if tc.method == "" {
				tc.method = http.MethodGet
			}
			got := s.ask(tc.method, tc.path, tc.token)
			if got.Code != tc.want {
				t.Errorf("got %d %s, want %d", got.Code, got.Body, tc.want)
			}
			if header := got.Header().Get("WWW-Authenticate"); (header == "Bearer") != (tc.want == 401) {
				t.Errorf("WWW-Authenticate is %q", header)
			}
		})
	}
}

// TestDenialsDoNotTellWhetherAGateExists compares whole answers.
func TestDenialsDoNotTellWhetherAGateExists(t *testing.T) {
	for _, token := range []string{"", "who", bobToken} {
		s := newServed(t, nil, 0, servedGate(v1alpha1.GateOpen), tokenSecret(gateToken))
		there, absent := s.ask(http.MethodGet, gatePath, token), s.ask(http.MethodGet, absentPath, token)
		if diff := cmp.Diff(there.Result().Header, absent.Result().Header); diff != "" || there.Body.String() != absent.Body.String() {
			t.Errorf("token %q: %s and %s\n%s", token, there.Body, absent.Body, diff)
		}
	}
}

func TestNothingIsServedBeforeTheCacheIsFilled(t *testing.T) {
	s := newServed(t, nil, 0, servedGate(v1alpha1.GateOpen))
	s.synced = false
	for _, path := range []string{gatePath, absentPath, "/projects/shop/checkout/ofrep/v1/evaluate/flags"} {
		if got := s.ask(http.MethodGet, path, annToken); got.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: got %d, want 503", path, got.Code)
		}
	}
	s.synced = true
	if got := s.ask(http.MethodGet, gatePath, annToken); got.Code != http.StatusOK {
		t.Errorf("afterwards: got %d", got.Code)
	}
}

func TestWhileTheAPIServerIsAwayOnlyTheKnownAreAnswered(t *testing.T) {
	s := newServed(t, nil, 0, servedGate(v1alpha1.GateOpen), tokenSecret(gateToken))
	for _, token := range []string{annToken, gateToken} {
		if got := s.ask(http.MethodGet, gatePath, token); got.Code != http.StatusOK {
			t.Fatalf("at first: got %d", got.Code)
		}
	}
	s.away = errors.New("no route to the API server")
	for token, want := range map[string]int{annToken: 200, gateToken: 200, bobToken: 503, "who": 503} {
		if got := s.ask(http.MethodGet, gatePath, token); got.Code != want {
			t.Errorf("%s: got %d, want %d", token, got.Code, want)
		}
	}
	s.now = s.now.Add(goodAnswer)
	for _, token := range []string{annToken, gateToken} {
		if got := s.ask(http.MethodGet, gatePath, token); got.Code != http.StatusServiceUnavailable {
			t.Errorf("a minute later: got %d, want 503", got.Code)
		}
	}
	if strings.Contains(s.log.String(), gateToken) || !strings.Contains(s.log.String(), "no route to the API server") {
		t.Errorf("log:\n%s", &s.log)
	}
}

// logLine is one line of the log of requests.
type logLine struct {
	Level                                         int
	Msg, Endpoint, Object, Caller, Answer, Remote string
	Status                                        int
	Duration                                      string
}

func TestEveryRequestIsLoggedWithoutItsToken(t *testing.T) {
	other := newProject("checkout").With(func(p *v1alpha1.StatsigProject) { p.Spec.OFREP = &v1alpha1.OFREPSpec{} }).Obj()
	for name, tc := range map[string]struct {
		method, path, token string
		want                logLine
	}{
		"A decision for a token": {
			path: gatePath, token: gateToken,
			want: logLine{Endpoint: "gates", Object: "shop/release", Caller: "token of rolloutgate shop/release", Answer: "Closed", Status: 200},
		},
		"A decision for a user": {
			method: http.MethodPost, path: flaggerPath, token: annToken,
			want: logLine{Endpoint: "flagger", Object: "shop/release", Caller: "ann", Answer: "Closed", Status: 403},
		},
		"A denial of a user": {
			path: gatePath, token: bobToken, want: logLine{Endpoint: "gates", Object: "shop/release", Caller: "bob", Status: 403},
		},
		"A denial of a stranger": {
			path: gatePath, token: "my-secret-token", want: logLine{Endpoint: "gates", Object: "shop/release", Status: 401},
		},
		"An evaluation that is denied": {
			path: "/projects/shop/checkout/ofrep/v1/evaluate/flags/on", method: http.MethodPost, token: bobToken,
			want: logLine{Endpoint: "ofrep", Object: "shop/checkout", Caller: "bob", Status: 403},
		},
		"An evaluation is detail": {
			path: "/projects/shop/checkout/ofrep/v1/evaluate/flags/on", method: http.MethodPost, token: annToken,
			want: logLine{Level: 1, Endpoint: "ofrep", Object: "shop/checkout", Caller: "ann", Status: 500}, // nothing runs for it
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServed(t, nil, 0, servedGate(v1alpha1.GateClosed), tokenSecret(gateToken), other)
			if tc.method == "" {
				tc.method = http.MethodGet
			}
			s.ask(tc.method, tc.path, tc.token)
			text := s.log.String()
			if strings.Contains(text, tc.token) {
				t.Errorf("the token is in the log: %s", text)
			}
			var got logLine
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			tc.want.Msg, tc.want.Remote, tc.want.Duration = "Answered a request", "10.0.0.1", "0s"
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}
