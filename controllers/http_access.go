package controllers

import (
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/serve"
)

// access decides who may ask. A bearer token that an object names admits to that object; any other token is the API
// server's to judge: whose it is (TokenReview), and what that user may do (SubjectAccessReview).
//
// Answers are remembered, bad ones too. What is not remembered costs questions to the API server, which are bounded for
// each address and in all, so that a flood of requests costs others nothing. Whoever has no right gets the same answer
// whether the object is there or not.
type access struct {
	tokens  *tokenSecrets
	reviews *reviews
	// callers bounds how often each caller may ask, strangers how often each address may be turned away with an answer of
	// its own.
	callers, strangers *serve.Limits
	now                func() time.Time
	log                logr.Logger
}

const (
	// strangersQPS and strangersBurst bound the denials, and so the lines in the log, that one address can cause.
	strangersQPS   = 5
	strangersBurst = 50
)

func newAccess(asks client.Client, qps float64, now func() time.Time, log logr.Logger) *access {
	return &access{
		tokens: newTokenSecrets(asks, log), reviews: newReviews(asks),
		callers: serve.NewLimits(qps, max(1, int(2*qps))), strangers: serve.NewLimits(strangersQPS, strangersBurst),
		now: now, log: log,
	}
}

// question is what a caller wants to do, as Kubernetes puts it.
type question struct {
	verb, resource, subresource string
	// kind is what people call the object.
	kind   string
	object types.NamespacedName
	// token is the one that admits to the object; nil where there is none, or no such object.
	token *v1alpha1.SecretKeyRef
}

var (
	unauthorized = refusal{status: http.StatusUnauthorized, message: "a valid bearer token is required"}
	forbidden    = refusal{status: http.StatusForbidden, message: "not allowed"}
	undecided    = refusal{status: http.StatusServiceUnavailable, message: "it can't be found out now whether that is allowed"}
)

func tooMany(wait time.Duration) *refusal {
	return &refusal{status: http.StatusTooManyRequests, message: "too many requests", wait: wait}
}

// admit returns who asks; refused is nil where they may.
func (a *access) admit(r *http.Request, q *question) (caller string, refused *refusal) {
	text, ok := serve.Bearer(r)
	if !ok {
		return "", a.turnAway(r, &unauthorized)
	}
	token := sha256.Sum256([]byte(text))
	admitted, tokenErr := a.tokens.admits(r.Context(), q, token, a.now())
	if admitted {
		caller = "token of " + q.kind + " " + q.object.String()
		return caller, a.bound(caller)
	}
	asked := &asking{remote: serve.RemoteKey(r), token: token, now: a.now()}
	user, err := a.reviews.user(r.Context(), asked, text)
	switch {
	case err != nil:
		return "", a.unanswered(r, err)
	case user == nil && tokenErr != nil:
		return "", a.unanswered(r, tokenErr)
	case user == nil:
		return "", a.turnAway(r, &unauthorized)
	}
	caller = user.Username
	if refused := a.bound(caller); refused != nil {
		return caller, refused
	}
	allowed, err := a.reviews.allows(r.Context(), asked, user, q)
	switch {
	case err != nil:
		return caller, a.unanswered(r, err)
	case !allowed:
		return caller, a.turnAway(r, &forbidden)
	default:
		return caller, nil
	}
}

// bound counts a request of a caller.
func (a *access) bound(caller string) *refusal {
	if wait := a.callers.Take(caller, a.now()); wait > 0 {
		return tooMany(wait)
	}
	return nil
}

// turnAway denies, and from some number of denials on only asks to come back later.
func (a *access) turnAway(r *http.Request, with *refusal) *refusal {
	if wait := a.strangers.Take(serve.RemoteKey(r), a.now()); wait > 0 {
		return tooMany(wait)
	}
	return with
}

// unanswered is what to say while the API server gives no answer, or is not to be asked.
func (a *access) unanswered(r *http.Request, err error) *refusal {
	if busy, ok := isBusy(err); ok {
		return tooMany(busy.wait)
	}
	refused := a.turnAway(r, &undecided)
	if refused == &undecided {
		a.log.Error(err, "Checking a caller's rights")
	}
	return refused
}

// asking is one caller's wish for answers of the API server.
type asking struct {
	// remote is the address that it came from, as it is counted.
	remote string
	// token is the hash of the bearer token.
	token [sha256.Size]byte
	now   time.Time
}
