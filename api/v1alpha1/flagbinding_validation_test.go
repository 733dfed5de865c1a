package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"
)

const validBinding = `
apiVersion: flags.statsig-operator.dev/v1alpha1
kind: FlagBinding
spec:
  projectRef: {name: checkout}
  subject:
    unit: Workload
    workloads: [{apiVersion: apps/v1, kind: Deployment, name: checkout}]
  entries: [{name: newCheckout, gate: new_checkout}]
  targets: [{name: env, configMap: {name: checkout-flags}}]
`

func TestFlagBindingEntriesAreValidated(t *testing.T) {
	const (
		oneEntity     = "exactly one of gate, dynamicConfig, experiment, layer and parameterStore is required"
		needParameter = "parameter is required with layer and parameterStore"
		plainGate     = "a gate has neither parameter nor path"
		eitherOr      = "parameter and path exclude each other"
		pathGoesWith  = "path goes with dynamicConfig and experiment only"
	)
	for name, tc := range map[string]struct{ entry, want string }{
		"A gate is accepted":                             {entry: `{name: a, gate: g}`},
		"A whole dynamic config is accepted":             {entry: `{name: a, dynamicConfig: c}`},
		"A path into a dynamic config is accepted":       {entry: `{name: a, dynamicConfig: c, path: tiers.gold.rps}`},
		"A parameter of an experiment is accepted":       {entry: `{name: a, experiment: e, parameter: p}`},
		"A path into an experiment is accepted":          {entry: `{name: a, experiment: e, path: p.q}`},
		"A parameter of a layer is accepted":             {entry: `{name: a, layer: l, parameter: p}`},
		"A parameter of a store is accepted":             {entry: `{name: a, parameterStore: s, parameter: p}`},
		"An entity with blanks and slashes is accepted":  {entry: `{name: a, gate: "my gate/2"}`},
		"No entity is refused":                           {`{name: a}`, oneEntity},
		"Two entities are refused":                       {`{name: a, gate: g, dynamicConfig: c}`, oneEntity},
		"Five entities are refused":                      {`{name: a, gate: g, dynamicConfig: c, experiment: e, layer: l, parameterStore: s}`, oneEntity},
		"A layer needs a parameter":                      {`{name: a, layer: l}`, ".parameter: …" + needParameter},
		"A parameter store needs a parameter":            {`{name: a, parameterStore: s}`, ".parameter: …" + needParameter},
		"A gate has no parameter":                        {`{name: a, gate: g, parameter: p}`, plainGate},
		"A gate has no path":                             {`{name: a, gate: g, path: p}`, plainGate},
		"Parameter and path together are refused":        {`{name: a, dynamicConfig: c, parameter: p, path: q}`, eitherOr},
		"A layer has no path":                            {`{name: a, layer: l, parameter: p, path: q}`, ".path: …" + pathGoesWith},
		"A parameter store has no path":                  {`{name: a, parameterStore: s, parameter: p, path: q}`, ".path: …" + pathGoesWith},
		"An empty gate is refused":                       {`{name: a, gate: ""}`, ".gate: …at least 1 chars"},
		"A gate's name is bounded":                       {`{name: a, gate: ` + strings.Repeat("g", 257) + `}`, ".gate: Too long"},
		"A path is bounded":                              {`{name: a, dynamicConfig: c, path: ` + strings.Repeat("p", 257) + `}`, ".path: Too long"},
		"A parameter is bounded":                         {`{name: a, dynamicConfig: c, parameter: ` + strings.Repeat("p", 257) + `}`, ".parameter: Too long"},
		"A name must not begin with a digit":             {`{name: 1a, gate: g}`, ".name: …should match"},
		"A name must not end with a dot":                 {`{name: a., gate: g}`, ".name: …should match"},
		"A name must not hold a slash":                   {`{name: a/b, gate: g}`, ".name: …should match"},
		"A name is bounded":                              {`{name: ` + strings.Repeat("a", 64) + `, gate: g}`, ".name: Too long"},
		"A name of 63 dots, dashes and more is accepted": {entry: `{name: a` + strings.Repeat("-._0", 15) + `-Z, gate: g}`},
		"An exposure is Enabled or Disabled":             {`{name: a, gate: g, exposure: "Off"}`, `Unsupported value: "Off"`},
		"A disabled exposure is accepted":                {entry: `{name: a, gate: g, exposure: Disabled, required: true}`},
	} {
		t.Run(name, func(t *testing.T) {
			checkValidation(t, validBinding, validationCase{`{entries: [` + tc.entry + `]}`, tc.want})
		})
	}
}

func TestFlagBindingSubjectIsValidated(t *testing.T) {
	const (
		nameOrSelector = "exactly one of name and selector is required"
		needsWorkloads = "spec.subject.workloads: …subject.workloads is required with unit Workload and Pod"
	)
	for name, tc := range map[string]struct{ subject, want string }{
		"A workload by name is accepted":       {subject: `{workloads: [{apiVersion: apps/v1, kind: Deployment, name: a}]}`},
		"A workload by labels is accepted":     {subject: `{workloads: [{apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {a: b}}}]}`},
		"An empty selector is accepted":        {subject: `{workloads: [{apiVersion: apps/v1, kind: Deployment, selector: {}}]}`},
		"A workload of the core group is fine": {subject: `{workloads: [{apiVersion: v1, kind: ReplicationController, name: a}]}`},
		"Neither name nor selector is refused": {`{workloads: [{apiVersion: apps/v1, kind: Deployment}]}`, nameOrSelector},
		"Name and selector are refused":        {`{workloads: [{apiVersion: apps/v1, kind: Deployment, name: a, selector: {}}]}`, nameOrSelector},
		"An API version has a version":         {`{workloads: [{apiVersion: apps, kind: Deployment, name: a}]}`, "apiVersion: …should match"},
		"A kind begins with a capital":         {`{workloads: [{apiVersion: apps/v1, kind: deployments, name: a}]}`, "kind: …should match"},
		"Workload needs workloads":             {`{workloads: null}`, needsWorkloads},
		"Pod needs workloads":                  {`{unit: Pod, workloads: null}`, needsWorkloads},
		"Namespace needs no workloads":         {subject: `{unit: Namespace, workloads: null}`},
		"Static needs no workloads":            {subject: `{unit: Static, workloads: null}`},
		"An empty list of workloads is none":   {`{workloads: []}`, "spec.subject.workloads: …at least 1 items"},
		"The number of workloads is bounded": {
			`{workloads: [` + strings.Repeat(`{apiVersion: apps/v1, kind: Deployment, name: a},`, 33) + `]}`, "spec.subject.workloads: Too many",
		},
		"A unit is one of those known":     {`{unit: Node}`, `spec.subject.unit: Unsupported value: "Node"`},
		"An expression must not be empty":  {`{user: {userID: ""}}`, "spec.subject.user.userID: …at least 1 chars"},
		"An expression is bounded":         {`{user: {email: ` + strings.Repeat("a", 1025) + `}}`, "spec.subject.user.email: Too long"},
		"Expressions in maps are bounded":  {`{user: {custom: {a: ""}}}`, "spec.subject.user.custom.a: …at least 1 chars"},
		"The number of fields is bounded":  {`{user: {custom: {` + numbered("a%d: x,", 65) + `}}}`, "spec.subject.user.custom: Too many"},
		"The number of IDs is bounded":     {`{user: {customIDs: {` + numbered("a%d: x,", 33) + `}}}`, "spec.subject.user.customIDs: Too many"},
		"Private attributes are bounded":   {`{user: {privateAttributes: {` + numbered("a%d: x,", 65) + `}}}`, "spec.subject.user.privateAttributes: Too many"},
		"A full set of fields is accepted": {subject: `{user: {custom: {` + numbered("a%d: x,", 64) + `}, userID: "'a'", country: "'DE'"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			checkValidation(t, validBinding, validationCase{`{subject: ` + tc.subject + `}`, tc.want})
		})
	}
}

func TestFlagBindingTargetsAreValidated(t *testing.T) {
	const (
		oneTarget = "exactly one of configMap and podAnnotations is required"
		reserved  = "podAnnotations.prefix: …the prefix is reserved"
		pattern   = "should match"
	)
	configMap := func(name string) string { return `{name: a, configMap: {name: "` + name + `"}}` }
	annotations := func(prefix string) string { return `{name: a, podAnnotations: {prefix: "` + prefix + `"}}` }
	for name, tc := range map[string]struct{ target, want string }{
		"A ConfigMap is accepted":                          {target: configMap("flags.checkout-2")},
		"A ConfigMap for each workload is accepted":        {target: configMap("flags-$(workload.name)")},
		"A ConfigMap for each pod is accepted":             {target: configMap("$(workload.name)-$(pod.name).flags")},
		"An unknown variable is refused":                   {configMap("flags-$(namespace.name)"), "configMap.name: …" + pattern},
		"A variable in braces is refused":                  {configMap("flags-${workload.name}"), "configMap.name: …" + pattern},
		"A capital in the name is refused":                 {configMap("Flags"), "configMap.name: …" + pattern},
		"An empty name is refused":                         {configMap(""), "configMap.name: …at least 1 chars"},
		"A name is bounded":                                {configMap(strings.Repeat("a", 254)), "configMap.name: Too long"},
		"Annotations are accepted":                         {target: annotations("flags.example.com")},
		"Neither kind of target is refused":                {`{name: a}`, oneTarget},
		"Both kinds of target are refused":                 {`{name: a, configMap: {name: a}, podAnnotations: {prefix: b}}`, oneTarget},
		"A prefix of Kubernetes is refused":                {annotations("kubernetes.io"), reserved},
		"A prefix below one of Kubernetes is refused":      {annotations("kubectl.kubernetes.io"), reserved},
		"The short prefix of Kubernetes is refused":        {annotations("node.k8s.io"), reserved},
		"The operator's own prefix is refused":             {annotations("hash.flags.statsig-operator.dev"), reserved},
		"A prefix with a slash is refused":                 {annotations("flags.example.com/a"), "podAnnotations.prefix: …" + pattern},
		"A prefix with a capital is refused":               {annotations("Flags.example.com"), "podAnnotations.prefix: …" + pattern},
		"A prefix that ends with a dot is refused":         {annotations("flags."), "podAnnotations.prefix: …" + pattern},
		"A prefix is bounded":                              {annotations(strings.Repeat("a", 254)), "podAnnotations.prefix: Too long"},
		"A format is one of those known":                   {`{name: a, configMap: {name: a, format: TOML}}`, `Unsupported value: "TOML"`},
		"A key of a ConfigMap is accepted":                 {target: `{name: a, configMap: {name: a, format: JSON, key: flags_2.json}}`},
		"A key with a slash is refused":                    {`{name: a, configMap: {name: a, format: JSON, key: a/b}}`, "configMap.key: …" + pattern},
		"A deletion policy is one of those known":          {`{name: a, configMap: {name: a, deletionPolicy: Orphan}}`, `Unsupported value: "Orphan"`},
		"A target's name must not hold a capital":          {`{name: A, configMap: {name: a}}`, "name: …" + pattern},
		"A target's name must not be empty":                {`{name: "", configMap: {name: a}}`, "spec.targets[0].name: …at least 1 chars"},
		"A ConfigMap that outlives its target is accepted": {target: `{name: a, configMap: {name: a, deletionPolicy: Retain}}`},
	} {
		t.Run(name, func(t *testing.T) {
			checkValidation(t, validBinding, validationCase{`{targets: [` + tc.target + `]}`, tc.want})
		})
	}
}

func TestFlagBindingListsAreValidated(t *testing.T) {
	const repeat = "spec.exposures.repeatEvery: …repeatEvery must be from 1m to 720h"
	for name, tc := range map[string]validationCase{
		"The base object is accepted":            {change: `{}`},
		"A project in another namespace":         {change: `{projectRef: {namespace: statsig}}`},
		"A project needs a name":                 {`{projectRef: {name: ""}}`, "spec.projectRef.name: …at least 1 chars"},
		"A project's namespace is bounded":       {`{projectRef: {namespace: ` + strings.Repeat("a", 64) + `}}`, "spec.projectRef.namespace: Too long"},
		"Two entries of one name are refused":    {`{entries: [{name: a, gate: g}, {name: a, gate: h}]}`, "spec.entries[1]: Duplicate value"},
		"Two targets of one name are refused":    {`{targets: [{name: a, configMap: {name: a}}, {name: a, configMap: {name: b}}]}`, "spec.targets[1]: Duplicate value"},
		"At least one entry is required":         {`{entries: []}`, "spec.entries: …at least 1 items"},
		"At least one target is required":        {`{targets: []}`, "spec.targets: …at least 1 items"},
		"The list of entries is required":        {`{entries: null}`, "spec.entries: Required value"},
		"256 entries are accepted":               {change: `{entries: [` + numbered("{name: a%d, gate: g},", 256) + `]}`},
		"257 entries are refused":                {`{entries: [` + numbered("{name: a%d, gate: g},", 257) + `]}`, "spec.entries: Too many"},
		"17 targets are refused":                 {`{targets: [` + numbered("{name: a%d, configMap: {name: a}},", 17) + `]}`, "spec.targets: Too many"},
		"An exposure mode is one of those known": {`{exposures: {mode: Sometimes}}`, `spec.exposures.mode: Unsupported value: "Sometimes"`},
		"Exposures of ready pods need annotations": {
			`{exposures: {mode: PodReady}}`, "spec.exposures.mode: …mode PodReady needs a podAnnotations target",
		},
		"Exposures of ready pods with annotations are accepted": {
			change: `{exposures: {mode: PodReady}, targets: [{name: a, podAnnotations: {prefix: flags.example.com}}]}`,
		},
		"Exposures must not repeat too often": {`{exposures: {repeatEvery: 59s}}`, repeat},
		"Exposures must repeat":               {`{exposures: {repeatEvery: 720h1s}}`, repeat},
		"Exposures repeat within bounds":      {change: `{exposures: {mode: OnApply, repeatEvery: 1m}}`},
		"Annotations need workloads": {
			`{subject: {unit: Namespace, workloads: null}, targets: [{name: a, podAnnotations: {prefix: flags.example.com}}]}`,
			"spec.subject.workloads: …a podAnnotations target needs subject.workloads",
		},
		"Annotations for a namespace's pods are accepted": {
			change: `{subject: {unit: Namespace}, targets: [{name: a, podAnnotations: {prefix: flags.example.com}}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) { checkValidation(t, validBinding, tc) })
	}
}

// numbered repeats a format with 0, 1, 2 and so on.
func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
