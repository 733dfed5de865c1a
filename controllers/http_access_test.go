package controllers

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

func TestAnswersOfTheAPIServerAreRemembered(t *testing.T) {
	for name, tc := range map[string]struct {
		token string
		want  int
		// wantReads, wantTokens and wantRights count the questions of many requests within, and one after, the time that
		// answers hold.
		wantReads, wantTokens, wantRights int64
	}{
		"The gate's own token":  {token: gateToken, want: 200, wantReads: 2},
		"A user with the right": {token: annToken, want: 200, wantReads: 2, wantTokens: 2, wantRights: 2},
		"A user without it":     {token: bobToken, want: 403, wantReads: 2, wantTokens: 2, wantRights: 2},
		"A stranger":            {token: "who", want: 401, wantReads: 2, wantTokens: 2},
		"Nobody":                {want: 401},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServed(t, nil, 0, servedGate(v1alpha1.GateOpen), tokenSecret(gateToken))
			for range 10 {
				if got := s.ask(http.MethodGet, gatePath, tc.token); got.Code != tc.want {
					t.Fatalf("got %d, want %d", got.Code, tc.want)
				}
			}
			s.now = s.now.Add(goodAnswer)
			if got := s.ask(http.MethodGet, gatePath, tc.token); got.Code != tc.want {
				t.Fatalf("later: got %d, want %d", got.Code, tc.want)
			}
			if r, n, a := s.reads.Load(), s.tokens.Load(), s.rights.Load(); r != tc.wantReads || n != tc.wantTokens || a != tc.wantRights {
				t.Errorf("%d Secrets read, %d tokens and %d rights reviewed; want %d, %d, %d", r, n, a, tc.wantReads, tc.wantTokens, tc.wantRights)
			}
		})
	}
}

func TestANewTokenCountsWithinAMinute(t *testing.T) {
	const next = "fedcba9876543210-of-release"
	s := newServed(t, nil, 0, servedGate(v1alpha1.GateOpen), tokenSecret(gateToken))
	if got := s.ask(http.MethodGet, gatePath, gateToken); got.Code != http.StatusOK {
		t.Fatalf("got %d", got.Code)
	}
	if err := s.cluster.Update(t.Context(), tokenSecret(next)); err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(time.Minute)
	for token, want := range map[string]int{gateToken: 401, next: 200} {
		if got := s.ask(http.MethodGet, gatePath, token); got.Code != want {
			t.Errorf("%s: got %d, want %d", token, got.Code, want)
		}
	}
}

func TestATokenMustBeLongEnough(t *testing.T) {
	for token, want := range map[string]int{"": 401, strings.Repeat("x", 15): 401, strings.Repeat("x", 16): 200} {
		s := newServed(t, nil, 0, servedGate(v1alpha1.GateOpen), tokenSecret(token))
		if got := s.ask(http.MethodGet, gatePath, token); got.Code != want {
			t.Errorf("a token of %d characters: got %d, want %d", len(token), got.Code, want)
		}
		if told := strings.Contains(s.log.String(), "admits nobody"); told != (len(token) == 15) {
			t.Errorf("a token of %d characters: log:\n%s", len(token), &s.log)
		}
	}
}

func TestACallerIsBounded(t *testing.T) {
	s := newServed(t, nil, 2, servedGate(v1alpha1.GateOpen), tokenSecret(gateToken))
	for range 4 {
		if got := s.ask(http.MethodGet, gatePath, gateToken); got.Code != http.StatusOK {
			t.Fatalf("within the burst: got %d", got.Code)
		}
	}
	got := s.ask(http.MethodGet, gatePath, gateToken)
	if got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") != "1" {
		t.Errorf("beyond it: got %d, Retry-After %q", got.Code, got.Header().Get("Retry-After"))
	}
	if got := s.ask(http.MethodGet, gatePath, annToken); got.Code != http.StatusOK {
		t.Errorf("another caller: got %d", got.Code)
	}
	s.now = s.now.Add(time.Second)
	if got := s.ask(http.MethodGet, gatePath, gateToken); got.Code != http.StatusOK {
		t.Errorf("a second later: got %d", got.Code)
	}
}

// TestAFloodCostsTheAPIServerLittle sends tokens that nobody knows, each another one.
func TestAFloodCostsTheAPIServerLittle(t *testing.T) {
	s := newServed(t, nil, 0, servedGate(v1alpha1.GateOpen), tokenSecret(gateToken))
	for _, token := range []string{annToken, gateToken} { // who is known before
		if got := s.ask(http.MethodGet, gatePath, token); got.Code != http.StatusOK {
			t.Fatalf("got %d", got.Code)
		}
	}
	codes := map[int]int{}
	for i := range 5000 {
		codes[s.ask(http.MethodGet, gatePath, fmt.Sprint("guess", i)).Code]++
	}
	if n := s.tokens.Load(); n > remoteQuestionsBurst {
		t.Errorf("the API server was asked about %d tokens", n)
	}
	if n := s.reads.Load(); n != 1 {
		t.Errorf("the Secret was read %d times", n)
	}
	if codes[http.StatusUnauthorized] > strangersBurst || codes[http.StatusTooManyRequests] < 4900 {
		t.Errorf("answers: %v", codes)
	}
	loud := strings.Count(s.log.String(), `"level":0`)
	if loud > strangersBurst+2 {
		t.Errorf("%d lines in the log", loud)
	}
	for _, token := range []string{annToken, gateToken} {
		if got := s.ask(http.MethodGet, gatePath, token); got.Code != http.StatusOK {
			t.Errorf("%s from the same address: got %d", token, got.Code)
		}
	}
	if got := s.ask(http.MethodGet, gatePath, bobToken, "10.0.0.2"); got.Code != http.StatusForbidden {
		t.Errorf("somebody new from elsewhere: got %d, want an answer", got.Code)
	}
}

// TestASecretThatCannotBeReadIsNotAskedForByEveryRequest has a gate whose Secret the operator may not read.
func TestASecretThatCannotBeReadIsNotAskedForByEveryRequest(t *testing.T) {
	s := newServed(t, nil, 0, servedGate(v1alpha1.GateOpen), tokenSecret(gateToken))
	s.noSecrets = errors.New("secrets are forbidden")
	codes := map[int]int{}
	for range 1000 {
		codes[s.ask(http.MethodGet, gatePath, "who").Code]++
	}
	if n := s.reads.Load(); n != 1 {
		t.Errorf("the Secret was asked for %d times", n)
	}
	if n := strings.Count(s.log.String(), "secrets are forbidden"); n == 0 || n > strangersBurst {
		t.Errorf("%d lines in the log", n)
	}
	if codes[http.StatusServiceUnavailable] == 0 || codes[http.StatusTooManyRequests] < 900 {
		t.Errorf("answers: %v", codes)
	}
	if got := s.ask(http.MethodGet, gatePath, annToken); got.Code != http.StatusOK {
		t.Errorf("a user with the right: got %d", got.Code)
	}
	s.noSecrets, s.now = nil, s.now.Add(tokenRetry)
	if got := s.ask(http.MethodGet, gatePath, gateToken); got.Code != http.StatusOK {
		t.Errorf("once the Secret can be read: got %d", got.Code)
	}
}

// TestAnAPIServerThatHangsHoldsNobodyUp asks with a token that nobody knows, which takes two questions.
func TestAnAPIServerThatHangsHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServed(t, nil, 0, servedGate(v1alpha1.GateOpen), tokenSecret(gateToken))
		s.slow = time.Hour
		begun := time.Now()
		got := s.ask(http.MethodGet, gatePath, "who")
		if took := time.Since(begun); got.Code != http.StatusServiceUnavailable || took > servingTimeout {
			t.Errorf("got %d after %s, want 503 within %s", got.Code, took, servingTimeout)
		}
	})
}

// TestOneQuestionForManyRequestsCountsOnce has more requests wait for the same answers than an address may ask questions.
func TestOneQuestionForManyRequestsCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServed(t, nil, 1000, servedGate(v1alpha1.GateOpen))
		s.slow = time.Second
		var all sync.WaitGroup
		for range 2 * remoteQuestionsBurst {
			all.Go(func() {
				if got := s.ask(http.MethodGet, "/v1/gates/shop/other", annToken); got.Code != http.StatusOK {
					t.Errorf("got %d", got.Code)
				}
			})
		}
		all.Wait()
		if n, a := s.tokens.Load(), s.rights.Load(); n != 1 || a != 1 {
			t.Errorf("%d tokens and %d rights reviewed, want 1 and 1", n, a)
		}
	})
}

// TestAFloodFromEverywhereCostsTheAPIServerLittle sends each token from another address.
func TestAFloodFromEverywhereCostsTheAPIServerLittle(t *testing.T) {
	s := newServed(t, nil, 0, servedGate(v1alpha1.GateOpen))
	for i := range 2000 {
		s.ask(http.MethodGet, gatePath, fmt.Sprint("guess", i), fmt.Sprintf("10.1.%d.%d", i/250, i%250))
	}
	if n := s.tokens.Load(); n != allQuestionsBurst {
		t.Errorf("the API server was asked about %d tokens, want %d", n, allQuestionsBurst)
	}
}

// TestReviewsKeepWhoAndWhatApart asks for rights of two users with two tokens each.
func TestReviewsKeepWhoAndWhatApart(t *testing.T) {
	s := newServed(t, nil, 0)
	for range 2 {
		for _, tc := range []struct {
			token, path string
			want        int
		}{
			{annToken, "/v1/gates/shop/a", 200}, {annToken, "/v1/gates/bank/a", 403}, {bobToken, "/v1/gates/shop/a", 403},
			{annToken, "/v1/gates/shop/b", 200}, {annToken, "/v1/flagger/shop/b", 503},
		} {
			method := http.MethodGet
			if strings.Contains(tc.path, "flagger") {
				method = http.MethodPost
			}
			if got := s.ask(method, tc.path, tc.token); got.Code != tc.want {
				t.Errorf("%s at %s: got %d, want %d", tc.token, tc.path, got.Code, tc.want)
			}
		}
	}
	if n, a := s.tokens.Load(), s.rights.Load(); n != 2 || a != 4 {
		t.Errorf("%d tokens and %d rights reviewed, want 2 and 4", n, a)
	}
}

func TestAReviewSaysAllThatIsKnownOfAUser(t *testing.T) {
	user := userInfo("ann", "uid", []string{"people"}, map[string][]string{"scopes": {"a", "b"}})
	q := &question{verb: "create", resource: "statsigprojects", subresource: "evaluations", object: types.NamespacedName{Namespace: "shop", Name: "checkout"}}
	spec := subjectAccessReview(user, q).Spec
	if spec.User != "ann" || spec.UID != "uid" || len(spec.Groups) != 1 || len(spec.Extra["scopes"]) != 2 {
		t.Errorf("the user: %+v", spec)
	}
	if a := spec.ResourceAttributes; a.Namespace != "shop" || a.Name != "checkout" || a.Verb != "create" || a.Resource != "statsigprojects" ||
		a.Subresource != "evaluations" || a.Group != v1alpha1.GroupVersion.Group {
		t.Errorf("what is wanted: %+v", a)
	}
}

func userInfo(name, uid string, groups []string, extra map[string][]string) *authenticationv1.UserInfo {
	user := &authenticationv1.UserInfo{Username: name, UID: uid, Groups: groups, Extra: map[string]authenticationv1.ExtraValue{}}
	for key, values := range extra {
		user.Extra[key] = values
	}
	return user
}
