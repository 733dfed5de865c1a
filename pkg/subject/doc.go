// Package subject turns Kubernetes objects into the users that Statsig evaluates: each attribute of a user is a CEL
// expression over the workload, pod, namespace and cluster at hand. It reads no API, keeps no state and knows no
// Kubernetes type. A [Program] is compiled once, is immutable, and is safe for concurrent use.
//
// # Variables
//
//	workload   apiVersion, kind, name, namespace, metadata   units Workload and Pod
//	pod        apiVersion, kind, name, namespace, metadata   unit Pod
//	namespace  apiVersion, kind, name, metadata              every unit
//	cluster    name                                          every unit
//
// metadata has name, namespace, uid, creationTimestamp, labels and annotations. For unit Static, namespace is the one
// that the binding lives in. A field that does not exist is refused when the expression is compiled; an object as a
// whole (workload, pod.metadata) is no value of an attribute.
//
// # What may be missing
//
// Reading a label or annotation that an object does not have is an error, and an error in any expression means no user
// at all. Three ways allow for its absence:
//
//	namespace.metadata.labels[?'region']                                    the attribute is left out
//	namespace.metadata.labels[?'region'].orValue('unknown')                 another value stands in
//	'region' in namespace.metadata.labels ? 'labelled' : 'not labelled'     the absence itself is the value
//
// has(namespace.metadata.labels.region) asks the same as 'region' in namespace.metadata.labels. has of a plain field,
// such as has(pod.metadata.uid), is true where the field is not empty.
//
// # Functions
//
// CEL's standard functions and macros, optional values (optional.of, orValue, optMap, [?key]) and CEL's string
// extensions, of which format and strings.quote are left out. The pattern of matches has to be a literal. An expression
// has at most [MaxExpressionLength] bytes, and evaluating it costs at most [CostLimit].
package subject
