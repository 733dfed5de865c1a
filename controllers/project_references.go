package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/transport"
)

// projectReferences are what the Secrets and ConfigMaps that a project names hold.
type projectReferences struct {
	// key is Statsig's; zero where the project names none.
	key secret.Key
	// transport is the zero value without spec.transport.
	transport transport.Options
	// redis has the credentials of each Redis server, by the name of their Secret.
	redis map[string]redisCredentials
	// webhook is the signing secret; zero without spec.webhook.
	webhook secret.Key
}

// certificates is a hash of the certificates and the key.
func (r *projectReferences) certificates() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q %q", r.transport.TLS.CABundle, r.transport.TLS.Certificate, r.transport.TLS.Key.Reveal())
	return hex.EncodeToString(sum.Sum(nil))
}

// redisCredentials are what a Redis server asks for.
type redisCredentials struct {
	username string
	password secret.Key
}

const (
	usernameKey     = "username"
	passwordKey     = "password"
	defaultCABundle = "ca.crt"
)

// resolveReferences reads what the project names beside its SDK key: each by name, uncached.
func (r *StatsigProjectReconciler) resolveReferences(ctx context.Context, s *projectScope) error {
	read := &referenceReader{live: r.Live, namespace: s.project.Namespace}
	refs := &projectReferences{key: s.key.key}
	if spec := s.project.Spec.Transport; spec != nil {
		refs.transport = read.transport(ctx, spec)
	}
	for _, source := range sourcesOf(s.project) {
		if source.DataStore == nil || source.DataStore.Redis == nil || source.DataStore.Redis.CredentialsSecretRef == nil {
			continue
		}
		if refs.redis == nil {
			refs.redis = map[string]redisCredentials{}
		}
		name := source.DataStore.Redis.CredentialsSecretRef.Name
		data := read.secret(ctx, name)
		refs.redis[name] = redisCredentials{
			username: string(trimmed(data[usernameKey])), password: read.password(data, name, passwordKey),
		}
	}
	if webhook := s.project.Spec.Webhook; webhook != nil {
		ref := webhook.SigningSecretRef
		refs.webhook = read.password(read.secret(ctx, ref.Name), ref.Name, ref.Key)
	}
	if read.err != nil {
		return read.err
	}
	s.missing = read.missing
	s.references = refs
	return nil
}

// referenceReader reads what objects of one namespace hold. The first object or key that is missing is noted, and so is the first
// error; after that nothing is read any more.
type referenceReader struct {
	live      client.Reader
	namespace string

	missing *refProblem
	err     error
}

func (r *referenceReader) transport(ctx context.Context, spec *v1alpha1.TransportSpec) transport.Options {
	options := transport.Options{ProxyURL: spec.ProxyURL, NoProxy: spec.NoProxy}
	if ref := spec.ProxyCredentialsSecretRef; ref != nil {
		data := r.secret(ctx, ref.Name)
		options.ProxyUsername = string(trimmed(r.value(data, "Secret", ref.Name, usernameKey)))
		options.ProxyPassword = r.password(data, ref.Name, passwordKey)
	}
	if ref := spec.ClientCertificateSecretRef; ref != nil {
		data := r.secret(ctx, ref.Name)
		options.TLS.Certificate = r.value(data, "Secret", ref.Name, corev1.TLSCertKey)
		options.TLS.Key = secret.NewKey(string(r.value(data, "Secret", ref.Name, corev1.TLSPrivateKeyKey)))
	}
	if ref := spec.CABundleRef; ref != nil {
		options.TLS.CABundle = r.caBundle(ctx, ref)
	}
	return options
}

func (r *referenceReader) caBundle(ctx context.Context, ref *v1alpha1.CABundleRef) []byte {
	key := ref.Key
	if key == "" {
		key = defaultCABundle
	}
	if ref.Kind == v1alpha1.CABundleSecret {
		return r.value(r.secret(ctx, ref.Name), "Secret", ref.Name, key)
	}
	return r.value(r.configMap(ctx, ref.Name), "ConfigMap", ref.Name, key)
}

func (r *referenceReader) secret(ctx context.Context, name string) map[string][]byte {
	object := &corev1.Secret{}
	r.get(ctx, "Secret", name, object)
	return object.Data
}

func (r *referenceReader) configMap(ctx context.Context, name string) map[string][]byte {
	object := &corev1.ConfigMap{}
	r.get(ctx, "ConfigMap", name, object)
	data := map[string][]byte{}
	for key, text := range object.Data {
		data[key] = []byte(text)
	}
	return data
}

func (r *referenceReader) get(ctx context.Context, kind, name string, object client.Object) {
	if r.err != nil || r.missing != nil {
		return
	}
	err := r.live.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: name}, object)
	switch {
	case apierrors.IsNotFound(err):
		r.missing = &refProblem{v1alpha1.ReasonRefNotFound, fmt.Sprintf("%s %s does not exist.", kind, name)}
	case err != nil:
		r.err = fmt.Errorf("reading %s %s: %w", kind, name, err)
	}
}

// value returns what stands under a key that has to be there.
func (r *referenceReader) value(data map[string][]byte, kind, name, key string) []byte {
	if r.err == nil && r.missing == nil && len(data[key]) == 0 {
		r.missing = &refProblem{v1alpha1.ReasonRefNotFound, fmt.Sprintf("%s %s has no value under %s.", kind, name, key)}
	}
	return data[key]
}

// password is a value of a Secret, without the line break at its end that a file leaves.
func (r *referenceReader) password(data map[string][]byte, name, key string) secret.Key {
	return secret.NewKey(string(trimmed(r.value(data, "Secret", name, key))))
}
