package subject

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

func input() Input {
	return Input{
		Workload: &Object{
			APIVersion: "apps/v1", Kind: "Deployment", Name: "checkout", Namespace: "shop", UID: "w-1",
			CreationTimestamp: time.Date(2026, 8, 10, 11, 12, 13, 0, time.FixedZone("CEST", 7200)),
			Labels:            map[string]string{"app": "checkout", "tier": "gold", "replicas": "12"},
			Annotations:       map[string]string{"note": "largest shop", "secret": "hunter2"},
		},
		Pod: &Object{
			APIVersion: "v1", Kind: "Pod", Name: "checkout-0", Namespace: "shop", UID: "p-1",
			Labels: map[string]string{"statefulset.kubernetes.io/pod-name": "checkout-0"},
		},
		Namespace: &Object{
			APIVersion: "v1", Kind: "Namespace", Name: "shop", UID: "n-1", Labels: map[string]string{"region": "eu"},
		},
		Cluster: "prod-1",
	}
}

func mustCompile(tb testing.TB, template Template) *Program {
	tb.Helper()
	program, err := Compile(template)
	if err != nil {
		tb.Fatalf("Compile: %v", err)
	}
	return program
}

func TestAttributes(t *testing.T) {
	cases := map[string]struct {
		template Template
		want     eval.UserAttributes
	}{
		"a workload is known by its namespace and name": {
			template: Template{Unit: UnitWorkload},
			want:     eval.UserAttributes{UserID: "shop/checkout"},
		},
		"a pod is known by its namespace and name": {
			template: Template{Unit: UnitPod},
			want:     eval.UserAttributes{UserID: "shop/checkout-0"},
		},
		"a namespace is known by its name": {
			template: Template{Unit: UnitNamespace},
			want:     eval.UserAttributes{UserID: "shop"},
		},
		"a static user has no ID of its own": {
			template: Template{Unit: UnitStatic},
		},
		"a static user can read the namespace and the cluster": {
			template: Template{Unit: UnitStatic, UserID: "cluster.name + '/' + namespace.metadata.name"},
			want:     eval.UserAttributes{UserID: "prod-1/shop"},
		},
		"every attribute with a field of its own is filled": {
			template: Template{
				Unit: UnitPod, UserID: "'u'", Email: "'e'", IP: "'i'", UserAgent: "'a'", Country: "'c'", Locale: "'l'",
				AppVersion: "'v'",
			},
			want: eval.UserAttributes{
				UserID: "u", Email: "e", IP: "i", UserAgent: "a", Country: "c", Locale: "l", AppVersion: "v",
			},
		},
		"an empty expression leaves its attribute out": {
			template: Template{
				Unit: UnitWorkload, CustomIDs: map[string]string{"x": ""}, Custom: map[string]string{"y": "", "z": "1"},
			},
			want: eval.UserAttributes{
				UserID: "shop/checkout", Custom: map[string]any{"z": int64(1)},
			},
		},
		"an empty optional leaves its attribute out and a full one gives its value": {
			template: Template{
				Unit: UnitWorkload, UserID: "workload.metadata.labels[?'nope']", Email: "workload.metadata.labels[?'app']",
				CustomIDs: map[string]string{"gone": "optional.none()", "there": "optional.of('x')"},
				Custom:    map[string]string{"gone": "namespace.metadata.labels[?'zone']", "there": "optional.of([1])"},
			},
			want: eval.UserAttributes{
				Email: "checkout", CustomIDs: map[string]string{"there": "x"}, Custom: map[string]any{"there": []any{int64(1)}},
			},
		},
		"custom and private attributes become plain values": {
			template: Template{
				Unit: UnitPod,
				Custom: map[string]string{
					"bool": "true", "int": "1 + 1", "uint": "3u", "double": "1.5", "null": "null", "string": "'s'",
					"list": "[1, 'a', [null]]", "map": "{'a': {'b': [true]}}", "labels": "namespace.metadata.labels",
					"keys": "workload.metadata.labels.filter(k, k.startsWith('t'))",
				},
				PrivateAttributes: map[string]string{"uid": "pod.metadata.uid"},
			},
			want: eval.UserAttributes{
				UserID: "shop/checkout-0",
				Custom: map[string]any{
					"bool": true, "int": int64(2), "uint": uint64(3), "double": 1.5, "null": nil, "string": "s",
					"list": []any{int64(1), "a", []any{nil}}, "map": map[string]any{"a": map[string]any{"b": []any{true}}},
					"labels": map[string]any{"region": "eu"}, "keys": []any{"tier"},
				},
				PrivateAttributes: map[string]any{"uid": "p-1"},
			},
		},
		"all fields can be read": {
			template: Template{
				Unit: UnitPod,
				Custom: map[string]string{
					"workload": "[workload.apiVersion, workload.kind, workload.name, workload.namespace, workload.metadata.uid]",
					"pod":      "[pod.apiVersion, pod.kind, pod.name, pod.namespace, pod.metadata.namespace]",
					"ns":       "[namespace.apiVersion, namespace.kind, namespace.name, namespace.metadata.uid]",
					"created":  "string(workload.metadata.creationTimestamp)",
					"notes":    "workload.metadata.annotations['note'].split(' ')",
				},
			},
			want: eval.UserAttributes{
				UserID: "shop/checkout-0",
				Custom: map[string]any{
					"workload": []any{"apps/v1", "Deployment", "checkout", "shop", "w-1"},
					"pod":      []any{"v1", "Pod", "checkout-0", "shop", "shop"},
					"ns":       []any{"v1", "Namespace", "shop", "n-1"},
					"created":  "2026-08-10T09:12:13Z",
					"notes":    []any{"largest", "shop"},
				},
			},
		},
		"has tells an empty field and a missing label from others": {
			template: Template{
				Unit: UnitPod,
				Custom: map[string]string{
					"created": "has(pod.metadata.creationTimestamp)", "annotations": "has(pod.metadata.annotations)",
					"metadata": "has(pod.metadata)", "region": "has(namespace.metadata.labels.region)",
					"zone": "has(namespace.metadata.labels.zone)", "cluster": "has(cluster.name)",
				},
			},
			want: eval.UserAttributes{
				UserID: "shop/checkout-0",
				Custom: map[string]any{
					"created": false, "annotations": false, "metadata": true, "region": true, "zone": false, "cluster": true,
				},
			},
		},
		"the string functions do as CEL's do": {
			template: Template{
				Unit: UnitStatic,
				Custom: map[string]string{
					"replace": "'a-b-c'.replace('-', '+')", "replace one": "'a-b-c'.replace('-', '+', 1)",
					"replace none": "'a-b-c'.replace('-', '+', 0)", "replace all": "'a-b-c'.replace('-', '+', -1)",
					"insert": "'ab'.replace('', '_')", "join": "['', 'b', ''].join(',')", "join tight": "['a', 'b'].join()",
					"join nothing": "[].join(',')", "other": "' aB '.trim().upperAscii().substring(1) + 'abc'.charAt(1)",
				},
			},
			want: eval.UserAttributes{
				Custom: map[string]any{
					"replace": "a+b+c", "replace one": "a+b-c", "replace none": "a-b-c", "replace all": "a+b+c",
					"insert": "_a_b_", "join": ",b,", "join tight": "ab", "join nothing": "", "other": "Bb",
				},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := mustCompile(t, tc.template).Attributes(input())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefaultUserIDEqualsItsExpression(t *testing.T) {
	expressions := map[Unit]string{
		UnitWorkload:  "workload.namespace + '/' + workload.name",
		UnitPod:       "pod.metadata.namespace + '/' + pod.metadata.name",
		UnitNamespace: "namespace.metadata.name",
	}
	for unit, expression := range expressions {
		t.Run(string(unit), func(t *testing.T) {
			written, err := mustCompile(t, Template{Unit: unit, UserID: expression}).Attributes(input())
			if err != nil {
				t.Fatal(err)
			}
			byDefault, err := mustCompile(t, Template{Unit: unit}).Attributes(input())
			if err != nil {
				t.Fatal(err)
			}
			if written.UserID == "" || written.UserID != byDefault.UserID {
				t.Errorf("the expression gives %q, the default %q", written.UserID, byDefault.UserID)
			}
		})
	}
}

func TestCompileErrors(t *testing.T) {
	cases := map[string]struct {
		template Template
		want     string
	}{
		"an unknown unit is refused": {
			template: Template{Unit: "Node"},
			want:     `unknown unit "Node"`,
		},
		"a misspelt field is found with its position": {
			template: Template{Unit: UnitWorkload, UserID: "workload.nam"},
			want:     "user.userID: 1:9: undefined field 'nam'",
		},
		"positions count after the variable namespace and on later lines": {
			template: Template{Unit: UnitWorkload, UserID: "namespace.name +\n  namespace.nam"},
			want:     "user.userID: 2:12: undefined field 'nam'",
		},
		"an unknown variable is found": {
			template: Template{Unit: UnitWorkload, Email: "nod.name"},
			want:     "user.email: 1:1: undeclared reference to 'nod' (in container '')",
		},
		"messages speak of the variable as it is written": {
			template: Template{Unit: UnitWorkload, Email: "namespace()"},
			want:     "user.email: 1:10: undeclared reference to 'namespace' (in container '')",
		},
		"further errors of one expression are counted": {
			template: Template{Unit: UnitWorkload, Email: "workload.a + workload.b"},
			want:     "user.email: 1:9: undefined field 'a' (and 1 more)",
		},
		"a variable of another unit is refused": {
			template: Template{Unit: UnitWorkload, Custom: map[string]string{"pod": "pod.name"}},
			want:     "user.custom.pod: pod does not exist for unit Workload, which has workload, namespace, cluster",
		},
		"a whole object is refused": {
			template: Template{Unit: UnitWorkload, Custom: map[string]string{"x": "namespace == namespace"}},
			want:     "user.custom.x: namespace is an object and not a value; name a field, such as namespace.name",
		},
		"whole metadata are refused": {
			template: Template{Unit: UnitWorkload, Custom: map[string]string{"x": "[namespace.metadata].map(m, m.name)"}},
			want: "user.custom.x: namespace.metadata is an object and not a value; " +
				"name a field, such as namespace.metadata.name",
		},
		"a number is no user ID": {
			template: Template{Unit: UnitStatic, UserID: "1 + 2"},
			want:     "user.userID: gives int, but a string is needed; convert it with string(…)",
		},
		"null is no custom ID": {
			template: Template{Unit: UnitStatic, CustomIDs: map[string]string{"companyID": "null"}},
			want:     "user.customIDs.companyID: gives null, but a string is needed; convert it with string(…)",
		},
		"an optional number is no user ID": {
			template: Template{Unit: UnitStatic, UserID: "optional.of(1)"},
			want:     "user.userID: gives optional_type(int), but a string is needed; convert it with string(…)",
		},
		"a timestamp has no JSON form": {
			template: Template{Unit: UnitWorkload, Custom: map[string]string{"at": "workload.metadata.creationTimestamp"}},
			want:     "user.custom.at: gives timestamp, which is no JSON value; convert it with string(…)",
		},
		"bytes in a list have no JSON form": {
			template: Template{Unit: UnitWorkload, PrivateAttributes: map[string]string{"b": "[b'x']"}},
			want:     "user.privateAttributes.b: gives list(bytes), which is no JSON value; convert it with string(…)",
		},
		"a map with numbers for keys has no JSON form": {
			template: Template{Unit: UnitWorkload, Custom: map[string]string{"m": "{1: 2}"}},
			want:     "user.custom.m: gives map(int, int), which is no JSON value; convert it with string(…)",
		},
		"an expression that is too long is refused": {
			template: Template{Unit: UnitStatic, UserID: "'" + strings.Repeat("x", MaxExpressionLength) + "'"},
			want:     "user.userID: the expression has 1026 bytes, at most 1024 are allowed",
		},
		"an expression that is nested too deeply is refused": {
			template: Template{Unit: UnitStatic, UserID: strings.Repeat("[", 500)},
			want:     "user.userID: expression recursion limit exceeded",
		},
		"an empty name is refused": {
			template: Template{Unit: UnitStatic, CustomIDs: map[string]string{"": "'x'"}},
			want:     `user.customIDs[""]: the name is empty`,
		},
		"a name that is no word is quoted": {
			template: Template{Unit: UnitStatic, Custom: map[string]string{"a\nb": "x"}},
			want:     `user.custom["a\nb"]: 1:1: undeclared reference to 'x' (in container '')`,
		},
		"format is not offered": {
			template: Template{Unit: UnitStatic, UserID: "'%s'.format(['x'])"},
			want:     "user.userID: 1:12: undeclared reference to 'format' (in container '')",
		},
		"a regular expression that is too large is refused": {
			template: Template{Unit: UnitStatic, Custom: map[string]string{"x": "'a'.matches('[a-z]{900}[a-z]{900}[a-z]{900}')"}},
			want:     "user.custom.x: 1:13: the regular expression is too large; repeat less",
		},
		"a regular expression that does not parse is refused": {
			template: Template{Unit: UnitStatic, Custom: map[string]string{"x": "'a'.matches('(')"}},
			want:     "user.custom.x: 1:13: error parsing regexp: missing closing ): `(`",
		},
		"a regular expression has to be known in advance": {
			template: Template{Unit: UnitStatic, Custom: map[string]string{"x": "matches('a', namespace.name)"}},
			want:     "user.custom.x: 1:23: the regular expression has to be a literal",
		},
		"a timestamp that does not parse is refused": {
			template: Template{Unit: UnitStatic, Custom: map[string]string{"x": "timestamp('today') < timestamp('2026-01-01T00:00:00Z')"}},
			want:     "user.custom.x: 1:11: invalid timestamp argument",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			program, err := Compile(tc.template)
			if err == nil {
				t.Fatal("the template compiles")
			}
			if program != nil {
				t.Error("there is a program beside the error")
			}
			if got := err.Error(); !strings.HasPrefix(got, tc.want) || strings.Contains(got, "\n") {
				t.Errorf("got error %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCompileReportsEveryField(t *testing.T) {
	_, err := Compile(Template{
		Unit:   UnitWorkload,
		UserID: "a", Locale: "b", CustomIDs: map[string]string{"z": "d", "y": "c", "ok": "'fine'"},
		Custom: map[string]string{"x": "e"},
	})
	var errs FieldErrors
	if !errors.As(err, &errs) {
		t.Fatalf("got %T, want FieldErrors", err)
	}
	var fields []string
	for _, e := range errs {
		fields = append(fields, e.Field)
	}
	want := []string{"user.userID", "user.locale", "user.customIDs.y", "user.customIDs.z", "user.custom.x"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	var field *FieldError
	if !errors.As(err, &field) || field.Field != "user.userID" {
		t.Errorf("errors.As finds %v, want the first field's error", field)
	}
}
