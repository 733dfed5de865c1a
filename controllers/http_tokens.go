package controllers

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/pkg/serve"
)

const (
	// minTokenLength is the least number of bytes of a token in a Secret; shorter ones admit nobody.
	minTokenLength = 16
	// tokenReread is how long what a Secret holds is remembered: a new token counts, and an old one ceases to, after that
	// time.
	tokenReread = 45 * time.Second
	// tokenRetry is how long it is remembered that a Secret could not be read.
	tokenRetry = time.Second
	// maxTokenSecrets bounds what is remembered.
	maxTokenSecrets = 8192
)

// tokenSecrets knows the bearer tokens that are in Secrets, by their hashes. They are read by name when somebody asks
// for an object that names them, so strangers can't cause more reads than there are such objects. That one could not be
// read is remembered too, though not for long.
type tokenSecrets struct {
	live client.Reader
	held *serve.Cache[heldToken]
	log  logr.Logger
}

// heldToken is the hash of a token; none where a Secret has no token that is good enough, err where it can't be read.
type heldToken struct {
	hash [sha256.Size]byte
	none bool
	err  error
}

func newTokenSecrets(live client.Reader, log logr.Logger) *tokenSecrets {
	return &tokenSecrets{live: live, held: serve.NewCache[heldToken](maxTokenSecrets), log: log}
}

// admits reports whether a token is the one that admits to the object.
func (t *tokenSecrets) admits(ctx context.Context, q *question, token [sha256.Size]byte, now time.Time) (bool, error) {
	if q.token == nil {
		return false, nil
	}
	name := types.NamespacedName{Namespace: q.object.Namespace, Name: q.token.Name}
	key := name.String() + "/" + q.token.Key
	held, known := t.held.Get(key, now)
	if !known {
		held, _ = t.held.Ask(key, now, func() (heldToken, time.Duration, error) {
			held, holds := t.read(context.WithoutCancel(ctx), name, q.token.Key)
			return held, holds, nil
		})
	}
	if held.err != nil {
		return false, held.err
	}
	return subtle.ConstantTimeCompare(held.hash[:], token[:]) == 1 && !held.none, nil
}

func (t *tokenSecrets) read(ctx context.Context, name types.NamespacedName, key string) (heldToken, time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	object := &corev1.Secret{}
	if err := t.live.Get(ctx, name, object); client.IgnoreNotFound(err) != nil {
		return heldToken{err: fmt.Errorf("reading Secret %s: %w", name, err)}, tokenRetry
	}
	text := trimmed(object.Data[key])
	if len(text) < minTokenLength {
		t.log.Info("A Secret has no token of sufficient length, so it admits nobody", "secret", name.String(), "key", key,
			"minLength", minTokenLength)
		return heldToken{none: true}, tokenReread
	}
	return heldToken{hash: sha256.Sum256(text)}, tokenReread
}
