package controllers

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

func TestStoryPrivateCertificateAuthority(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	behind, err := url.Parse(s.statsig.URL())
	must(t, err)
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) }})
	t.Cleanup(front.Close)
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}))

	project := s.project()
	project.Spec.Specs.Sources[0].URL = front.URL
	s.create(s.secretWithKey(), project, s.simpleBinding())
	s.operator()
	s.awaitConditions(project, is{v1alpha1.ConditionSpecsFresh, metav1.ConditionFalse, v1alpha1.ReasonFetchFailed, "certificate"})

	change(s, project, func(p *v1alpha1.StatsigProject) {
		p.Spec.Transport = &v1alpha1.TransportSpec{CABundleRef: &v1alpha1.CABundleRef{Name: "authority"}}
	})
	s.awaitConditions(project,
		is{v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRefNotFound, "ConfigMap authority does not exist."})

	wrong := s.configMap("authority")
	wrong.Data = map[string]string{"ca.crt": "not a certificate"}
	s.create(wrong)
	s.awaitConditions(project, is{v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalid, "the CA bundle holds no certificate"})

	change(s, wrong, func(c *corev1.ConfigMap) { c.Data["ca.crt"] = authority })
	change(s, project, func(p *v1alpha1.StatsigProject) { p.Spec.Environment = "staging" }) // to have it looked at
	s.awaitConditions(project, projectSynced)
	s.awaitData("flags", simpleValues)
}

func TestStoryDataStoreInASecret(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{})
	sum := sha256.Sum256([]byte(storyKey))
	key := secretDataKey("statsig|/v2/download_config_specs|plain_text|" + base64.StdEncoding.EncodeToString(sum[:]))
	store := &corev1.Secret{ObjectMeta: s.meta("store"), Data: map[string][]byte{"another": []byte("{}")}}
	project := s.project()
	project.Spec.Specs.Sources = []v1alpha1.SpecsSource{{
		Type: v1alpha1.SourceDataStore, DataStore: &v1alpha1.DataStore{SecretRef: &v1alpha1.LocalRef{Name: "store"}},
	}}
	project.Spec.Events.Disabled = true
	s.create(s.secretWithKey(), store, project, s.simpleBinding())
	s.operator()
	s.awaitConditions(project, is{v1alpha1.ConditionSpecsFresh, metav1.ConditionFalse, v1alpha1.ReasonNoValues, ""})
	change(s, store, func(c *corev1.Secret) { c.Data[key] = simpleSpecs().JSON(t) })
	s.awaitConditions(project, projectSynced, keyNotRequired)
	s.awaitData("flags", simpleValues)
	change(s, store, func(c *corev1.Secret) { c.Data[key] = openedSpecs(t) })
	s.awaitData("flags", flipped)
}

func TestStoryOverrides(t *testing.T) {
	t.Parallel()
	s := newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})
	project, binding := s.project(), s.simpleBinding()
	s.create(s.secretWithKey(), project, binding)
	op := s.operator()
	s.awaitData("flags", simpleValues)
	change(s, project, func(p *v1alpha1.StatsigProject) {
		p.Spec.Overrides = []v1alpha1.Override{
			{Gate: "off", Value: &runtime.RawExtension{Raw: []byte("true")}},
			{Gate: "on", Value: &runtime.RawExtension{Raw: []byte("false")}, IDs: []string{"somebody else"}},
			{DynamicConfig: "limits", Value: &runtime.RawExtension{Raw: []byte(`{"rps":99}`)}},
		}
	})
	s.awaitData("flags", map[string]string{"on": "true", "off": "true", "rps": "99"})
	await(s, binding, "the reasons", func(b *v1alpha1.FlagBinding) string {
		if got := b.Status.Entries[1].Reason; got != "LocalOverride:Recognized" {
			return got
		}
		return ""
	})
	change(s, project, func(p *v1alpha1.StatsigProject) {
		p.Spec.Overrides[0].Value = &runtime.RawExtension{Raw: []byte(`"yes"`)}
	})
	s.awaitConditions(project, is{
		v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalid, "spec.overrides[0]: the value of gate off must be true or false",
	})
	s.awaitData("flags", map[string]string{"on": "true", "off": "true", "rps": "99"})

	change(s, project, func(p *v1alpha1.StatsigProject) { p.Spec.Overrides = nil })
	s.awaitConditions(project, projectSynced)
	s.awaitData("flags", simpleValues)
	s.settle(op)
	op.stop(t)
	for _, event := range s.statsig.Events() {
		if event.Metadata["gate"] == "off" && event.Metadata["gateValue"] == "true" {
			t.Errorf("an overridden value was reported: %s", event.Raw)
		}
	}
}
