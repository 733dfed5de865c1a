package subject

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUses(t *testing.T) {
	cases := map[string]struct {
		template Template
		want     Uses
	}{
		"a workload's default reads the workload": {
			template: Template{Unit: UnitWorkload},
			want:     Uses{Workload: ObjectUses{Any: true}},
		},
		"a pod's default reads the pod": {
			template: Template{Unit: UnitPod},
			want:     Uses{Pod: ObjectUses{Any: true}},
		},
		"a constant reads nothing": {
			template: Template{Unit: UnitNamespace, UserID: "'everyone'"},
		},
		"a static user reads nothing": {
			template: Template{Unit: UnitStatic},
		},
		"labels and annotations are told apart": {
			template: Template{
				Unit: UnitPod, UserID: "pod.metadata.labels['a']", Email: "workload.metadata.annotations[?'b'].orValue(cluster.name)",
				Custom: map[string]string{"c": "has(namespace.metadata.labels.c)"},
			},
			want: Uses{
				Pod: ObjectUses{Any: true, Labels: true}, Workload: ObjectUses{Any: true, Annotations: true},
				Namespace: ObjectUses{Any: true, Labels: true}, Cluster: true,
			},
		},
		"what is read inside a macro counts": {
			template: Template{Unit: UnitStatic, Custom: map[string]string{
				"x": "['a'].all(k, k in namespace.metadata.annotations && namespace.name != '')",
			}},
			want: Uses{Namespace: ObjectUses{Any: true, Annotations: true}},
		},
		"names and UIDs are neither": {
			template: Template{Unit: UnitStatic, UserID: "namespace.name + namespace.metadata.uid"},
			want:     Uses{Namespace: ObjectUses{Any: true}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, mustCompile(t, tc.template).Uses()); diff != "" {
				t.Errorf("uses (-want +got):\n%s", diff)
			}
		})
	}
}
