package controllers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// keyObservation is what was found where the SDK key should be.
type keyObservation struct {
	// key is empty when there is none.
	key secret.Key
	// reason says why there is none although the spec asks for one; empty otherwise.
	reason, message string
}

// resolveKey reads the SDK key from its Secret: by name, uncached, this one Secret only.
func (r *StatsigProjectReconciler) resolveKey(ctx context.Context, s *projectScope) error {
	ref := s.project.Spec.SDKKeySecretRef
	if ref == nil {
		return nil
	}
	object := &corev1.Secret{}
	err := r.Live.Get(ctx, types.NamespacedName{Namespace: s.project.Namespace, Name: ref.Name}, object)
	if apierrors.IsNotFound(err) {
		s.key.reason = v1alpha1.ReasonSecretNotFound
		s.key.message = fmt.Sprintf("Secret %s does not exist. Create it with the server SDK key under %s.", ref.Name, ref.Key)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading Secret %s: %w", ref.Name, err)
	}
	text := string(trimmed(object.Data[ref.Key]))
	if text == "" {
		s.key.reason = v1alpha1.ReasonKeyNotFound
		s.key.message = fmt.Sprintf("Secret %s has no value under %s. Put the server SDK key there.", ref.Name, ref.Key)
		return nil
	}
	s.key.key = secret.NewKey(text)
	return nil
}

// trimmed takes off what "kubectl create secret --from-file" leaves at the end of a key: a line break, never part of it.
func trimmed(text []byte) []byte { return bytes.TrimSpace(text) }

// errWaits says that nothing can be set running before what the project names is there.
var errWaits = errors.New("what the project names is awaited")

// setUp sets the syncer and the logger running, or stops them. While a key or a certificate that was there before is missing, what
// runs goes on: a Secret that is being replaced must not cost anybody a value.
func (r *StatsigProjectReconciler) setUp(ctx context.Context, s *projectScope) error {
	key := client.ObjectKeyFromObject(s.project)
	switch {
	case s.project.Spec.Suspend:
		r.Runtimes.Remove(key)
	case s.key.reason != "" || s.missing != nil:
		s.setUpErr = errWaits
		r.Runtimes.settle(key)
	default:
		if s.setUpErr = r.Runtimes.ensure(ctx, s.project, s.references); s.setUpErr != nil {
			r.Runtimes.settle(key)
		}
	}
	s.running, _ = r.Runtimes.lookup(key)
	s.candidate = r.Runtimes.candidate(key)
	return nil
}

func (r *StatsigProjectReconciler) countBindings(ctx context.Context, s *projectScope) error {
	list := &v1alpha1.FlagBindingList{}
	err := r.Client.List(ctx, list, client.UnsafeDisableDeepCopy,
		client.MatchingFields{indexProject: client.ObjectKeyFromObject(s.project).String()})
	if err != nil {
		return fmt.Errorf("counting FlagBindings: %w", err)
	}
	s.bindings = len(list.Items)
	return nil
}

// spread gives every object its own offset below limit, always the same one, so that objects made together don't act together.
func spread(uid types.UID, limit time.Duration) time.Duration {
	const steps = 1000
	h := fnv.New32a()
	_, _ = h.Write([]byte(uid))
	return limit / steps * time.Duration(h.Sum32()%steps)
}
