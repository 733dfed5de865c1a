package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/serve"
)

const (
	// goodAnswer and badAnswer are how long the API server's answers are remembered.
	goodAnswer, badAnswer = time.Minute, 30 * time.Second
	// questionTimeout bounds one question to the API server. A request asks up to three, and two of them in vain while the
	// API server hangs: its caller is to have an answer all the same before the HTTP server gives up.
	questionTimeout = servingTimeout / 2
	// maxReviews bounds the answers of each kind that are remembered.
	maxReviews = 16384
	// remoteQuestions and remoteQuestionsBurst bound the questions to the API server that one address can cause a second;
	// allQuestions and allQuestionsBurst those of all.
	remoteQuestions, remoteQuestionsBurst = 20, 200
	allQuestions, allQuestionsBurst       = 100, 400
)

// reviews asks the API server who callers are and what they may do. Unlike the authenticator and the authorizer of
// k8s.io/apiserver it remembers refusals of tokens too, counts by address only what is not remembered, and never waits
// to try again. The rights for that are those of the metrics endpoint.
type reviews struct {
	client  client.Client
	users   *serve.Cache[*authenticationv1.UserInfo]
	rights  *serve.Cache[bool]
	remotes *serve.Limits
	all     *serve.Limits
}

func newReviews(c client.Client) *reviews {
	return &reviews{
		client: c, users: serve.NewCache[*authenticationv1.UserInfo](maxReviews), rights: serve.NewCache[bool](maxReviews),
		remotes: serve.NewLimits(remoteQuestions, remoteQuestionsBurst), all: serve.NewLimits(allQuestions, allQuestionsBurst),
	}
}

// busyError says that a question is not asked, because too many were.
type busyError struct{ wait time.Duration }

func (*busyError) Error() string { return "too many questions to the API server" }

func isBusy(err error) (*busyError, bool) {
	var busy *busyError
	ok := errors.As(err, &busy)
	return busy, ok
}

// spend counts a question that is about to be asked, once for all who wait for its answer.
func (r *reviews) spend(a *asking) error {
	if wait := r.remotes.Take(a.remote, a.now); wait > 0 {
		return &busyError{wait}
	}
	if wait := r.all.Take("", a.now); wait > 0 {
		return &busyError{wait}
	}
	return nil
}

// user returns whose token it is; nil where it is nobody's.
func (r *reviews) user(ctx context.Context, a *asking, token string) (*authenticationv1.UserInfo, error) {
	key := string(a.token[:])
	if user, known := r.users.Get(key, a.now); known {
		return user, nil
	}
	return r.users.Ask(key, a.now, func() (*authenticationv1.UserInfo, time.Duration, error) {
		if err := r.spend(a); err != nil {
			return nil, 0, err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), questionTimeout)
		defer cancel()
		review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
		if err := r.client.Create(ctx, review); err != nil {
			return nil, 0, fmt.Errorf("reviewing a token: %w", err)
		}
		if !review.Status.Authenticated || review.Status.User.Username == "" {
			return nil, badAnswer, nil
		}
		return &review.Status.User, goodAnswer, nil
	})
}

// allows reports whether a user may do what they ask for.
func (r *reviews) allows(ctx context.Context, a *asking, user *authenticationv1.UserInfo, q *question) (bool, error) {
	key := fmt.Sprintf("%s %s %s/%s %s", a.token[:], q.verb, q.resource, q.subresource, q.object)
	if allowed, known := r.rights.Get(key, a.now); known {
		return allowed, nil
	}
	return r.rights.Ask(key, a.now, func() (bool, time.Duration, error) {
		if err := r.spend(a); err != nil {
			return false, 0, err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), questionTimeout)
		defer cancel()
		review := subjectAccessReview(user, q)
		if err := r.client.Create(ctx, review); err != nil {
			return false, 0, fmt.Errorf("reviewing the rights of %s: %w", user.Username, err)
		}
		if !review.Status.Allowed {
			return false, badAnswer, nil
		}
		return true, goodAnswer, nil
	})
}

func subjectAccessReview(user *authenticationv1.UserInfo, q *question) *authorizationv1.SubjectAccessReview {
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for name, values := range user.Extra {
		extra[name] = authorizationv1.ExtraValue(values)
	}
	return &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: q.object.Namespace, Name: q.object.Name, Verb: q.verb,
			Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Resource: q.resource, Subresource: q.subresource,
		},
	}}
}
