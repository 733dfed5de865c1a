package controllers

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// secretDataStore is a Secret as the data store of Statsig's SDKs, read by name and past the cache.
type secretDataStore struct {
	live client.Reader
	name types.NamespacedName
}

// Identity implements [specsync.DataStore].
func (s secretDataStore) Identity() string { return "Secret " + s.name.String() }

// Get implements [specsync.DataStore].
func (s secretDataStore) Get(ctx context.Context, key string) ([]byte, error) {
	object := &corev1.Secret{}
	if err := s.live.Get(ctx, s.name, object); err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", s.name.Name, err)
	}
	value, found := object.Data[secretDataKey(key)]
	if !found {
		return nil, specsync.ErrNoValue
	}
	return value, nil
}

// secretDataKey replaces what a key of a Secret's data may not have.
func secretDataKey(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
			return r
		default:
			return '_'
		}
	}, key)
}
