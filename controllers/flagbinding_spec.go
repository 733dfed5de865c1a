package controllers

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/render"
	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// checkSpec checks what the CRD's own rules cannot express.
func checkSpec(spec *v1alpha1.FlagBindingSpec) error {
	for i := range spec.Subject.Workloads {
		if _, err := metav1.LabelSelectorAsSelector(spec.Subject.Workloads[i].Selector); err != nil {
			return fmt.Errorf("spec.subject.workloads[%d].selector: %w", i, err)
		}
	}
	for i := range spec.Targets {
		if err := checkTarget(&spec.Targets[i], spec.Subject.Unit); err != nil {
			return fmt.Errorf("spec.targets[%s].%w", spec.Targets[i].Name, err)
		}
	}
	for i := range spec.Entries {
		if err := checkEntry(&spec.Entries[i]); err != nil {
			return fmt.Errorf("spec.entries[%s].%w", spec.Entries[i].Name, err)
		}
	}
	return nil
}

// checkTarget checks that a ConfigMap's name asks for nothing that the unit does not have.
func checkTarget(target *v1alpha1.Target, unit v1alpha1.Unit) error {
	if target.ConfigMap == nil {
		return nil
	}
	if strings.Contains(target.ConfigMap.Name, podNamePlaceholder) && unit != v1alpha1.UnitPod {
		return errors.New("configMap.name: $(pod.name) needs spec.subject.unit Pod")
	}
	if strings.Contains(target.ConfigMap.Name, workloadNamePlaceholder) && unit != v1alpha1.UnitPod && unit != v1alpha1.UnitWorkload {
		return errors.New("configMap.name: $(workload.name) needs spec.subject.unit Workload or Pod")
	}
	return nil
}

func checkEntry(entry *v1alpha1.Entry) error {
	if entry.Default != nil && len(entry.Default.Raw) > 0 && !json.Valid(entry.Default.Raw) {
		return errors.New("default: it is not JSON")
	}
	if entry.Path != "" {
		if err := render.ValidatePath(entry.Path); err != nil {
			return fmt.Errorf("path: %w", err)
		}
	}
	return nil
}

// whyNotPermitted says why a project may not be used from a namespace; empty when it may.
func whyNotPermitted(project *v1alpha1.StatsigProject, namespace *metav1.PartialObjectMetadata) string {
	if project.Namespace == namespace.Name {
		return ""
	}
	key := client.ObjectKeyFromObject(project)
	allowed := project.Spec.AllowedNamespaces
	const remedy = "Ask its owner to widen spec.allowedNamespaces."
	if allowed == nil || allowed.From == v1alpha1.NamespacesSame {
		return fmt.Sprintf("StatsigProject %s allows its own namespace only. %s", key, remedy)
	}
	if allowed.From == v1alpha1.NamespacesAll {
		return ""
	}
	selector, err := metav1.LabelSelectorAsSelector(allowed.Selector)
	if err != nil {
		return fmt.Sprintf("StatsigProject %s has an invalid spec.allowedNamespaces.selector: %v. Ask its owner to mend it.", key, err)
	}
	if selector.Matches(labels.Set(namespace.Labels)) {
		return ""
	}
	return fmt.Sprintf("StatsigProject %s allows namespaces that match %s; namespace %s does not. %s",
		key, metav1.FormatLabelSelector(allowed.Selector), namespace.Name, remedy)
}

// compileUser compiles a user template. Its errors name the field below prefix, such as "spec.".
func compileUser(unit v1alpha1.Unit, user *v1alpha1.UserTemplate, prefix string) (*subject.Program, error) {
	program, err := subject.Compile(userTemplate(unit, user))
	if err != nil {
		return nil, fmt.Errorf("%s%w", prefix, err)
	}
	return program, nil
}

func userTemplate(unit v1alpha1.Unit, user *v1alpha1.UserTemplate) subject.Template {
	template := subject.Template{Unit: subject.Unit(unit)}
	if user == nil {
		return template
	}
	template.UserID, template.Email, template.IP = string(user.UserID), string(user.Email), string(user.IP)
	template.UserAgent, template.Country = string(user.UserAgent), string(user.Country)
	template.Locale, template.AppVersion = string(user.Locale), string(user.AppVersion)
	template.CustomIDs = expressions(user.CustomIDs)
	template.Custom = expressions(user.Custom)
	template.PrivateAttributes = expressions(user.PrivateAttributes)
	return template
}

func expressions(from map[string]v1alpha1.Expression) map[string]string {
	if len(from) == 0 {
		return nil
	}
	texts := make(map[string]string, len(from))
	for name, expression := range from {
		texts[name] = string(expression)
	}
	return texts
}

// subjectObject shows an object's metadata to user expressions, without the annotations below prefixes, which the binding writes
// itself: a user must not depend on its own values.
func subjectObject(object *metav1.PartialObjectMetadata, prefixes []string) *subject.Object {
	annotations := object.Annotations
	for name := range object.Annotations {
		if hasAnyPrefix(name, prefixes) {
			annotations = maps.Clone(object.Annotations)
			maps.DeleteFunc(annotations, func(name, _ string) bool { return hasAnyPrefix(name, prefixes) })
			break
		}
	}
	kind := object.GroupVersionKind()
	return &subject.Object{
		APIVersion: kind.GroupVersion().String(), Kind: kind.Kind,
		Name: object.Name, Namespace: object.Namespace, UID: string(object.UID),
		CreationTimestamp: object.CreationTimestamp.Time, Labels: object.Labels, Annotations: annotations,
	}
}

// ownPrefixes are the prefixes of the annotations that a binding writes to pods.
func ownPrefixes(binding *v1alpha1.FlagBinding) []string {
	prefixes := []string{v1alpha1.PodHashAnnotationPrefix}
	for i := range binding.Spec.Targets {
		if target := binding.Spec.Targets[i].PodAnnotations; target != nil {
			prefixes = append(prefixes, target.Prefix+"/")
		}
	}
	return prefixes
}

func hasAnyPrefix(text string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}
