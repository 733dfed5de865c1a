package v1alpha1_test

import (
	"strings"
	"testing"
)

const validProject = `
apiVersion: flags.statsig-operator.dev/v1alpha1
kind: StatsigProject
spec:
  sdkKeySecretRef: {name: statsig, key: sdkKey}
`

func TestStatsigProjectReferencesAreValidated(t *testing.T) {
	const (
		keyRequired      = "spec.sdkKeySecretRef: Invalid value: sdkKeySecretRef is required unless every source is a ConfigMap or a File"
		selectorRequired = "spec.allowedNamespaces.selector: Invalid value: selector is required with from: Selector, and only then"
	)
	for name, tc := range map[string]validationCase{
		"The base object is accepted":                {change: `{}`},
		"A CDN source needs a key":                   {`{sdkKeySecretRef: null, specs: {sources: [{type: CDN}]}}`, keyRequired},
		"The default source needs a key":             {`{sdkKeySecretRef: null}`, keyRequired},
		"Specs without sources need a key":           {`{sdkKeySecretRef: null, specs: {interval: 10s}}`, keyRequired},
		"One HTTP source among files needs a key":    {`{sdkKeySecretRef: null, specs: {sources: [{type: File, path: a}, {type: HTTP, url: "http://a"}]}}`, keyRequired},
		"A File source needs no key":                 {change: `{sdkKeySecretRef: null, specs: {sources: [{type: File, path: a}]}}`},
		"A ConfigMap source needs no key":            {change: `{sdkKeySecretRef: null, specs: {sources: [{type: ConfigMap, configMapRef: {name: a, key: b}}]}}`},
		"The Secret needs a name":                    {`{sdkKeySecretRef: {name: ""}}`, "spec.sdkKeySecretRef.name: …at least 1 chars"},
		"The Secret's name is bounded":               {`{sdkKeySecretRef: {name: ` + strings.Repeat("a", 254) + `}}`, "spec.sdkKeySecretRef.name: Too long"},
		"The key in the Secret is required":          {`{sdkKeySecretRef: {key: null}}`, "spec.sdkKeySecretRef.key: Required value"},
		"The environment is bounded":                 {`{environment: ` + strings.Repeat("a", 65) + `}`, "spec.environment: Too long"},
		"A selector is required with Selector":       {`{allowedNamespaces: {from: Selector}}`, selectorRequired},
		"A selector is refused with All":             {`{allowedNamespaces: {from: All, selector: {}}}`, selectorRequired},
		"A selector is refused with Same":            {`{allowedNamespaces: {from: Same, selector: {}}}`, selectorRequired},
		"Selector with a selector is accepted":       {change: `{allowedNamespaces: {from: Selector, selector: {matchLabels: {team: a}}}}`},
		"All without a selector is accepted":         {change: `{allowedNamespaces: {from: All}}`},
		"Namespaces are allowed in known ways only":  {`{allowedNamespaces: {from: Some}}`, `spec.allowedNamespaces.from: Unsupported value: "Some"`},
		"The way to allow namespaces must be chosen": {`{allowedNamespaces: {}}`, "spec.allowedNamespaces.from: Required value"},
	} {
		t.Run(name, func(t *testing.T) { checkValidation(t, validProject, tc) })
	}
}

func TestStatsigProjectSourcesAreValidated(t *testing.T) {
	const (
		urlRule       = "url is required with type HTTP, and only then"
		configMapRule = "configMapRef is required with type ConfigMap, and only then"
		pathRule      = "path is required with type File, and only then"
		relative      = "path must be relative and without '..'"
		plainURL      = "url must be an http or https address without user, query and fragment"
	)
	for name, tc := range map[string]struct{ source, want string }{
		"CDN stands alone":                          {source: `{type: CDN}`},
		"API stands alone":                          {source: `{type: API}`},
		"HTTP needs a URL":                          {`{type: HTTP}`, urlRule},
		"CDN has no URL":                            {`{type: CDN, url: "https://a"}`, urlRule},
		"ConfigMap needs a reference":               {`{type: ConfigMap}`, configMapRule},
		"HTTP has no ConfigMap":                     {`{type: HTTP, url: "https://a", configMapRef: {name: a, key: b}}`, configMapRule},
		"A ConfigMap reference needs a key":         {`{type: ConfigMap, configMapRef: {name: a}}`, "configMapRef.key: Required value"},
		"File needs a path":                         {`{type: File}`, pathRule},
		"API has no path":                           {`{type: API, path: a}`, pathRule},
		"The type is one of those known":            {`{type: S3}`, "Unsupported value"},
		"A path within directories is accepted":     {source: `{type: File, path: a/b..c/d.json}`},
		"A path must not climb":                     {`{type: File, path: ../specs.json}`, relative},
		"A path must not climb in the middle":       {`{type: File, path: a/../../specs.json}`, relative},
		"A path must not end climbing":              {`{type: File, path: a/..}`, relative},
		"A path must be relative":                   {`{type: File, path: /etc/passwd}`, relative},
		"A path must not be empty":                  {`{type: File, path: ""}`, "spec.specs.sources[0].path: …at least 1 chars"},
		"A path is bounded":                         {`{type: File, path: ` + strings.Repeat("a", 513) + `}`, "path: Too long"},
		"An https URL with a path is accepted":      {source: `{type: HTTP, url: "https://statsig.internal:8443/v2"}`},
		"An IPv6 host is accepted":                  {source: `{type: HTTP, url: "http://[::1]:8080"}`},
		"A URL needs a scheme":                      {`{type: HTTP, url: "statsig.internal/v2"}`, plainURL},
		"A URL needs an HTTP scheme":                {`{type: HTTP, url: "ftp://statsig.internal"}`, plainURL},
		"A URL needs a host":                        {`{type: HTTP, url: "http:///v2"}`, plainURL},
		"A URL must not hold a user":                {`{type: HTTP, url: "https://user:password@statsig.internal"}`, plainURL},
		"A URL must not hold a query":               {`{type: HTTP, url: "https://statsig.internal?a=b"}`, plainURL},
		"A URL must not hold a fragment":            {`{type: HTTP, url: "https://statsig.internal#a"}`, plainURL},
		"A URL is bounded":                          {`{type: HTTP, url: "https://a/` + strings.Repeat("a", 2048) + `"}`, "url: Too long"},
		"What is no URL is refused and not a crash": {`{type: HTTP, url: "http://[::1"}`, plainURL},
	} {
		t.Run(name, func(t *testing.T) {
			checkValidation(t, validProject, validationCase{`{specs: {sources: [` + tc.source + `]}}`, tc.want})
		})
	}
}

func TestStatsigProjectListsAndNumbersAreBounded(t *testing.T) {
	for name, tc := range map[string]validationCase{
		"An empty list of sources is refused": {`{specs: {sources: []}}`, "spec.specs.sources: …at least 1 items"},
		"More than eight sources are refused": {`{specs: {sources: [` + strings.Repeat("{type: CDN},", 9) + `]}}`, "spec.specs.sources: Too many"},
		"Eight sources are accepted":          {change: `{specs: {sources: [` + strings.Repeat("{type: CDN},", 8) + `]}}`},
		"A batch must not be tiny":            {`{events: {maxBatchSize: 9}}`, "spec.events.maxBatchSize: …greater than or equal to 10"},
		"A batch must not be huge":            {`{events: {maxBatchSize: 2001}}`, "spec.events.maxBatchSize: …less than or equal to 2000"},
		"Batches within bounds are accepted":  {change: `{events: {maxBatchSize: 10, maxPendingBatches: 10000}}`},
		"At least one batch must wait":        {`{events: {maxPendingBatches: 0}}`, "spec.events.maxPendingBatches: …greater than or equal to 1"},
		"Waiting batches are bounded":         {`{events: {maxPendingBatches: 10001}}`, "spec.events.maxPendingBatches: …less than or equal to 10000"},
		"An events URL with a user is refused": {
			`{events: {url: "https://a:b@statsig.internal"}}`, "url must be an http or https address without user, query and fragment",
		},
		"A warning must not come after failing": {
			`{staleness: {warnAfter: 61m, failAfter: 1h}}`, "spec.staleness.warnAfter: …warnAfter must not be longer than failAfter",
		},
		"A warning may come with failing":    {change: `{staleness: {warnAfter: 60m, failAfter: 1h}}`},
		"Failing alone may come at any time": {change: `{staleness: {failAfter: 1s}}`},
		"A plain events URL is accepted":     {change: `{events: {url: "http://127.0.0.1:8080"}}`},
	} {
		t.Run(name, func(t *testing.T) { checkValidation(t, validProject, tc) })
	}
}

func TestStatsigProjectDurationsAreBounded(t *testing.T) {
	for field, bounds := range map[string]struct{ below, least, most, above, message string }{
		"specs.interval":       {"999ms", "1s", "24h", "24h0m1s", "interval must be from 1s to 24h"},
		"specs.timeout":        {"99ms", "100ms", "5m", "5m1s", "timeout must be from 100ms to 5m"},
		"idLists.interval":     {"999ms", "1s", "24h", "24h0m1s", "interval must be from 1s to 24h"},
		"staleness.warnAfter":  {"999ms", "1s", "720h", "720h0m1s", "warnAfter must be from 1s to 720h"},
		"staleness.failAfter":  {"999ms", "1s", "720h", "720h0m1s", "failAfter must be from 1s to 720h"},
		"events.flushInterval": {"999ms", "1s", "1h", "1h0m1s", "flushInterval must be from 1s to 1h"},
	} {
		group, member, _ := strings.Cut(field, ".")
		for name, tc := range map[string]struct{ value, want string }{
			"below the least is refused":       {bounds.below, "spec." + field + ": …: " + bounds.message},
			"the least is accepted":            {bounds.least, ""},
			"the most is accepted":             {bounds.most, ""},
			"above the most is refused":        {bounds.above, "spec." + field + ": …: " + bounds.message},
			"a negative one is refused":        {"-10s", "spec." + field + ": …: " + bounds.message},
			"what is no duration is refused":   {"10 seconds", "spec." + field + ": …evaluating rule: " + bounds.message},
			"a number without unit is refused": {`"10"`, "spec." + field + ": …" + bounds.message},
		} {
			t.Run(field+": "+name, func(t *testing.T) {
				checkValidation(t, validProject, validationCase{`{` + group + `: {` + member + `: ` + tc.value + `}}`, tc.want})
			})
		}
	}
}
