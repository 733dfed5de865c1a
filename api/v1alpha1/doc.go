// Package v1alpha1 holds the API of statsig-operator: StatsigProject says where a Statsig project's rules come from and where its
// events go, FlagBinding says who is evaluated, what, and where the values land. The package holds types and constants only.
//
// Fields that a user may omit have no default in the schema (apart from a fresh object's status): a schema default shows as a
// permanent difference in GitOps tools. The default stands in the field's comment and is applied by the controllers.
//
// +kubebuilder:object:generate=true
// +groupName=flags.statsig-operator.dev
package v1alpha1
