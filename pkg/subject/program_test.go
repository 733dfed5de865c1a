package subject

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

func TestEvaluationErrors(t *testing.T) {
	cases := map[string]struct {
		template Template
		want     string
	}{
		"a missing label names its field and says what to do": {
			template: Template{Unit: UnitWorkload, Custom: map[string]string{"region": "workload.metadata.labels['region']"}},
			want:     "user.custom.region: no such key: region; index with [?'key'] where a key may be missing",
		},
		"the first failing field in order is reported": {
			template: Template{Unit: UnitWorkload, Custom: map[string]string{
				"b": "workload.metadata.labels.b", "a": "workload.metadata.labels.a",
			}},
			want: "user.custom.a: no such key: a; index with [?'key'] where a key may be missing",
		},
		"a dynamic number is no user ID": {
			template: Template{Unit: UnitStatic, UserID: "dyn(1)"},
			want:     "user.userID: gives int, but a string is needed; convert it with string(…)",
		},
		"a dynamic null is no custom ID": {
			template: Template{Unit: UnitStatic, CustomIDs: map[string]string{"x": "dyn(null)"}},
			want:     "user.customIDs.x: gives null, but a string is needed; convert it with string(…)",
		},
		"a dynamic duration is no JSON value": {
			template: Template{Unit: UnitStatic, Custom: map[string]string{"x": "[dyn(duration('1s'))]"}},
			want:     "user.custom.x: gives duration, which is no JSON value; convert it with string(…)",
		},
		"a dynamic key of a map has to be a string": {
			template: Template{Unit: UnitStatic, Custom: map[string]string{"x": "{'a': {dyn(1): 2}}"}},
			want:     "user.custom.x: gives a map with a key of type int; JSON has only strings there",
		},
		"an optional inside a list is no JSON value": {
			template: Template{Unit: UnitStatic, Custom: map[string]string{"x": "[dyn(optional.of(1))]"}},
			want:     "user.custom.x: gives optional_type, which is no JSON value; convert it with string(…)",
		},
		"infinity is no JSON value": {
			template: Template{Unit: UnitStatic, Custom: map[string]string{"x": "{'a': double('Inf')}"}},
			want:     "user.custom.x: gives a number that is not finite, which is no JSON value",
		},
		"a creation time that is not set is an error": {
			template: Template{Unit: UnitPod, Custom: map[string]string{"x": "string(pod.metadata.creationTimestamp)"}},
			want:     "user.custom.x: creationTimestamp is not set",
		},
		"an object cannot be made": {
			template: Template{Unit: UnitStatic, Custom: map[string]string{"x": "Pod{name: 'x'}.name"}},
			want:     "user.custom.x: Pod cannot be constructed",
		},
		"a message is one line": {
			template: Template{Unit: UnitStatic, Custom: map[string]string{"x": `{'a': 1}['b\nc']`}},
			want:     "user.custom.x: no such key: b c; index with [?'key'] where a key may be missing",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			program := mustCompile(t, tc.template)
			got, err := program.Attributes(input())
			if err == nil {
				t.Fatal("the template evaluates")
			}
			if _, ok := errors.AsType[*FieldError](err); !ok {
				t.Errorf("got %T, want *FieldError", err)
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(eval.UserAttributes{}, got); diff != "" {
				t.Errorf("attributes beside the error (-want +got):\n%s", diff)
			}
			if user, err := program.User(input()); user != nil || err == nil {
				t.Errorf("User gives %v and error %v, want no user and an error", user, err)
			}
		})
	}
}

func TestErrorsQuoteNoPrivateValue(t *testing.T) {
	expressions := map[string]string{
		"as a key":  "workload.metadata.labels[workload.metadata.annotations['secret']]",
		"as a date": "string(timestamp(workload.metadata.annotations['secret']))",
	}
	for name, expression := range expressions {
		t.Run(name, func(t *testing.T) {
			public := mustCompile(t, Template{Unit: UnitWorkload, Custom: map[string]string{"x": expression}})
			if _, err := public.Attributes(input()); err == nil || !strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("got %v, want an error that quotes the value: without one this test shows nothing", err)
			}
			private := mustCompile(t, Template{Unit: UnitWorkload, PrivateAttributes: map[string]string{"x": expression}})
			_, err := private.Attributes(input())
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want an error that does not quote the value", err)
			}
		})
	}
}

func TestExpressionsThatCostTooMuch(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	lots := map[string]string{}
	for _, a := range "abcdefghijklmnopqrstuvwxyz" {
		for _, b := range "abcdefghijklmnopqrstuvwxyz" {
			lots[string([]rune{a, b})] = long[:60]
		}
	}
	annotations := map[string]string{"long": long, "medium": long[:20<<10]}
	object := &Object{Name: "w", Namespace: "n", Labels: lots, Annotations: annotations}
	cases := map[string]struct{ expression, want string }{
		"nested loops over labels": {
			expression: "workload.metadata.labels.all(a, workload.metadata.labels.all(b, a + b != 'x'))",
			want:       "costs more than",
		},
		"doubling a text": {
			expression: "[workload.metadata.annotations['long']].map(a, a+a+a+a+a+a).map(a, a+a+a+a+a+a).map(a, a+a+a+a+a+a)[0]",
			want:       "costs more than",
		},
		"a replacement that grows a text": {
			expression: "workload.metadata.annotations['long'].replace('', '0123456789')",
			want:       "more than 262144 bytes",
		},
		"replacements that multiply each other": {
			expression: "'0123456789'" + strings.Repeat(".replace('', '0123456789')", 30),
			want:       "costs more than",
		},
		"a separator that grows a text": {
			expression: "workload.metadata.annotations['medium'].split('').join('01234567890123456789')",
			want:       "more than 262144 bytes",
		},
		"a search for a long text in a long text": {
			expression: "workload.metadata.annotations['long'].lastIndexOf(" +
				"workload.metadata.annotations['long'].substring(100000) + 'y')",
			want: "costs more than",
		},
		"a regular expression over a long text": {
			expression: "workload.metadata.annotations['long'].matches('(x+x+)+(x+x+)+(x+x+)+(x+x+)+y')",
			want:       "costs more than",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			custom := map[string]string{"x": "size(string(" + tc.expression + "))"}
			program := mustCompile(t, Template{Unit: UnitWorkload, Custom: custom})
			_, err := program.Attributes(Input{Workload: object})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want one that says %q", err, tc.want)
			}
		})
	}
}

func TestMissingObjects(t *testing.T) {
	cases := map[string]struct {
		template Template
		without  func(*Input)
		want     string
	}{
		"a default user ID needs its object": {
			template: Template{Unit: UnitPod},
			without:  func(in *Input) { in.Pod = nil },
			want:     "there is no pod here, but the user's expressions read it",
		},
		"an expression needs what it reads": {
			template: Template{Unit: UnitPod, Email: "workload.name"},
			without:  func(in *Input) { in.Workload = nil },
			want:     "there is no workload here, but the user's expressions read it",
		},
		"so it does where a cheap way out is written": {
			template: Template{Unit: UnitPod, Email: "true ? 'x' : namespace.name"},
			without:  func(in *Input) { in.Namespace = nil },
			want:     "there is no namespace here, but the user's expressions read it",
		},
		"what is not read may be missing": {
			template: Template{Unit: UnitPod, UserID: "cluster.name"},
			without:  func(in *Input) { in.Pod, in.Workload, in.Namespace = nil, nil, nil },
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := input()
			tc.without(&in)
			_, err := mustCompile(t, tc.template).Attributes(in)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got error %q, want %q", got, tc.want)
			}
		})
	}
}

func TestUser(t *testing.T) {
	template := Template{Unit: UnitPod, CustomIDs: map[string]string{"podID": "pod.metadata.uid"}}
	user, err := mustCompile(t, template).User(input())
	if err != nil {
		t.Fatal(err)
	}
	if got := user.UserID(); got != "shop/checkout-0" {
		t.Errorf("user ID is %q, want shop/checkout-0", got)
	}
	if got := user.CustomID("podID"); got != "p-1" {
		t.Errorf("custom ID podID is %q, want p-1", got)
	}
}

func TestProgramIsSafeForConcurrentUse(t *testing.T) {
	program := mustCompile(t, typicalTemplate())
	want, err := program.Attributes(input())
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				got, err := program.Attributes(input())
				if err != nil {
					t.Error(err)
					return
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("attributes (-want +got):\n%s", diff)
					return
				}
			}
		})
	}
	group.Wait()
}

// typicalTemplate is what a binding over pods may look like: a default ID, one custom ID and three attributes.
func typicalTemplate() Template {
	return Template{
		Unit:      UnitPod,
		CustomIDs: map[string]string{"workload": "workload.namespace + '/' + workload.name"},
		Custom: map[string]string{
			"region": "namespace.metadata.labels['region']",
			"tier":   "workload.metadata.labels[?'tier'].orValue('none')",
			"zone":   "has(pod.metadata.labels.zone) ? pod.metadata.labels.zone : 'unknown'",
		},
	}
}

func FuzzExpression(f *testing.F) {
	for _, seed := range []string{
		"namespace.metadata.labels['region']", "workload.metadata.labels[?'tier'].orValue('none')", "'a'.replace('', 'b')",
		"[1, 2].map(x, x * 2)", "namespace . // namespace\n name", `r"\" + namespace.name`, "{'a': [null, 1.5, 2u]}", "'''", "\"\\",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		program, err := Compile(Template{Unit: UnitPod, Custom: map[string]string{"x": expression}})
		if err != nil {
			if message := err.Error(); strings.ContainsAny(message, "\n\r") || len(message) > 4*maxMessage+32 {
				t.Errorf("%q: the error is not one bounded line: %q", expression, message)
			}
			return
		}
		first, firstErr := program.Attributes(input())
		second, secondErr := program.Attributes(input())
		if (firstErr == nil) != (secondErr == nil) {
			t.Errorf("%q gives error %v, then %v", expression, firstErr, secondErr)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%q gives different values (-first +second):\n%s", expression, diff)
		}
	})
}
