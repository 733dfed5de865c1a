package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

// newConfigMapSource reads config specs from one key of a ConfigMap: by name and past the cache, since caching other people's
// ConfigMaps would mean caching all of them.
func newConfigMapSource(live client.Reader, namespace string, ref v1alpha1.ConfigMapKeyRef) specsync.Source {
	key := types.NamespacedName{Namespace: namespace, Name: ref.Name}
	fetch := func(ctx context.Context, have specsync.Have) (specsync.Answer, error) {
		object := &corev1.ConfigMap{}
		if err := live.Get(ctx, key, object); err != nil {
			return specsync.Answer{}, fmt.Errorf("reading ConfigMap %s: %w", ref.Name, err)
		}
		answer := specsync.Answer{Version: object.ResourceVersion, Origin: specsync.OriginBootstrap}
		if have.Version != "" && have.Version == answer.Version {
			answer.NotModified = true
			return answer, nil
		}
		document, found := object.BinaryData[ref.Key]
		if !found {
			var text string
			text, found = object.Data[ref.Key]
			document = []byte(text)
		}
		if !found {
			return specsync.Answer{}, fmt.Errorf("ConfigMap %s has no key %s", ref.Name, ref.Key)
		}
		answer.Document = document
		return answer, nil
	}
	return specsync.NewSource(string(v1alpha1.SourceConfigMap), key.String()+"/"+ref.Key, fetch)
}
