package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// crashStory tells one story with an operator that is cut off at some write, whereupon another takes over.
type crashStory struct {
	*story
	op *operator
	// crashed says that the first operator is gone.
	crashed bool

	project   *v1alpha1.StatsigProject
	bound     *v1alpha1.FlagBinding
	bystander *v1alpha1.FlagBinding
}

func TestStoryCrash(t *testing.T) {
	t.Parallel()
	tellWithCrashes(t, func(t *testing.T, at *crashPoint) (*crashStory, []string) {
		c := newCrashStory(t, at)
		return c, c.tell()
	})
}

// crashTale tells a story with an operator that crashes at a point, nil for nowhere, and returns what there was after each step.
type crashTale func(t *testing.T, at *crashPoint) (c *crashStory, scenes []string)

// tellWithCrashes cuts an operator off at its first write, at its second, and so on until there is none left to fail, once before the
// write reaches the API server and once after. Whoever takes over must come to the same end.
func tellWithCrashes(t *testing.T, tale crashTale) {
	t.Helper()
	var want []string
	writes := 0
	if !t.Run("Nothing crashes", func(t *testing.T) {
		var c *crashStory
		c, want = tale(t, nil)
		for _, w := range c.op.requests.all() {
			if w.group != "events.k8s.io" {
				writes++
			}
		}
	}) {
		return
	}
	for _, reached := range []bool{false, true} {
		t.Run(map[bool]string{false: "Not sent", true: "Sent, but its answer lost"}[reached], func(t *testing.T) {
			t.Parallel()
			// How many writes a status takes depends on what is seen first, so no two runs need have the same number. The crash
			// point moves on until it lies behind the last write.
			for n := 0; crashAt(t, tale, crashPoint{write: n, reached: reached}, want); n++ {
				if n > 3*writes {
					t.Fatalf("there was a write %d, where a run without a crash has %d", n, writes)
				}
			}
		})
	}
}

// crashAt tells whether there was a write to crash at.
func crashAt(t *testing.T, tale crashTale, at crashPoint, want []string) (crashed bool) {
	t.Helper()
	t.Run(fmt.Sprintf("Write %d", at.write), func(t *testing.T) {
		c, got := tale(t, &at)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("what came of it (-without a crash +with one):\n%s", diff)
		}
		crashed = c.crashed
	})
	return crashed
}

func newCrashStory(t *testing.T, at *crashPoint) *crashStory {
	t.Helper()
	c := &crashStory{story: newStory(t, statsigtest.Options{Specs: simpleSpecs().JSON(t)})}
	c.project = c.story.project()
	c.project.Spec.Events.Disabled = true // how many events an operator delivered is no end state
	c.rollOut("web", 2)
	c.bound = c.binding("bound", onDeployments(v1alpha1.UnitWorkload, "web"), asksGate("on", "on"), asksGate("off", "off"),
		toConfigMap("flags-$(workload.name)"), toPods("flags.example.com"))
	c.bystander = c.simpleBinding()
	onDeployments(v1alpha1.UnitWorkload, "web")(c.bystander)
	c.bystander.Spec.Targets[0].ConfigMap.DeletionPolicy = v1alpha1.DeletionRetain
	c.create(c.secretWithKey(), c.project, c.bound, c.bystander)
	c.op = startOperator(t, operatorOptions{namespaces: []string{c.namespace}, requests: &apiRequests{crashAt: at}})
	return c
}

// tell goes from nothing to values, to other targets, to a deletion, and returns what there was after each.
func (c *crashStory) tell() []string {
	c.t.Helper()
	c.until("values", func(ctx context.Context) string {
		return c.ready(ctx, c.bound, c.bystander) + c.holds(ctx, "flags-web", map[string]string{"on": "true", "off": "false"})
	})
	first := c.scene()

	change(c.story, c.bound, func(b *v1alpha1.FlagBinding) {
		b.Spec.Entries = b.Spec.Entries[:1]
		b.Spec.Targets[0].ConfigMap.Name = "moved"
	})
	c.until("other targets", func(ctx context.Context) string {
		old := c.c.Get(ctx, client.ObjectKeyFromObject(c.configMap("flags-web")), &corev1.ConfigMap{})
		if client.IgnoreNotFound(old) != nil || old == nil {
			return fmt.Sprintf("the old ConfigMap: %v", old)
		}
		return c.ready(ctx, c.bound) + c.holds(ctx, "moved", map[string]string{"on": "true"})
	})
	second := c.scene()

	c.delete(c.bound)
	c.until("the deletion", func(ctx context.Context) string {
		if err := c.c.Get(ctx, client.ObjectKeyFromObject(c.bound), c.bound); err == nil || client.IgnoreNotFound(err) != nil {
			return fmt.Sprintf("the binding: %v", err)
		}
		must(c.t, c.c.Get(ctx, client.ObjectKeyFromObject(c.project), c.project))
		return cmp.Diff(int32(1), c.project.Status.Bindings)
	})
	third := c.scene()

	c.op.stop(c.t)
	again := c.restart(operatorOptions{namespaces: []string{c.namespace}}, c.bystander.Name)
	if writes := again.requests.all(); len(writes) > 0 {
		c.t.Errorf("writes after the end: %v", writes)
	}
	return []string{first, second, third}
}

// until waits for something and then for calm, with another operator as soon as the first has crashed.
func (c *crashStory) until(what string, check func(context.Context) string) {
	c.t.Helper()
	eventually(c.t, what, func(ctx context.Context) string {
		if c.op.requests.hasCrashed() {
			c.op.stop(c.t)
			c.crashed, c.op = true, c.operator()
		}
		if problem := check(ctx); problem != "" {
			return problem
		}
		return c.op.restlessness()
	})
}

func (c *crashStory) ready(ctx context.Context, bindings ...*v1alpha1.FlagBinding) string {
	must(c.t, c.c.Get(ctx, client.ObjectKeyFromObject(c.project), c.project))
	problems := lacks(c.project, []is{projectSynced})
	for _, b := range bindings {
		must(c.t, c.c.Get(ctx, client.ObjectKeyFromObject(b), b))
		problems += lacks(b, []is{applied})
	}
	return problems
}

func (c *crashStory) holds(ctx context.Context, name string, want map[string]string) string {
	configMap := c.configMap(name)
	if err := c.c.Get(ctx, client.ObjectKeyFromObject(configMap), configMap); err != nil {
		return err.Error()
	}
	return mapDiff(want, configMap.Data)
}

var (
	uids  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	times = regexp.MustCompile(`"lastTransitionTime": ?"[^"]*"`)
)

// scene is everything that the operator sees to, as text without what no two runs have in common.
func (c *crashStory) scene() string {
	c.t.Helper()
	var parts []any
	configMaps, pods := &corev1.ConfigMapList{}, &corev1.PodList{}
	projects, bindings := &v1alpha1.StatsigProjectList{}, &v1alpha1.FlagBindingList{}
	for _, list := range []client.ObjectList{configMaps, pods, projects, bindings} {
		must(c.t, c.c.List(c.t.Context(), list, client.InNamespace(c.namespace)))
	}
	for _, o := range configMaps.Items {
		parts = append(parts, o.Name, o.Data, o.Labels, o.Annotations, o.OwnerReferences)
	}
	for _, o := range pods.Items {
		parts = append(parts, o.Name, o.Labels, o.Annotations)
	}
	for _, o := range projects.Items {
		parts = append(parts, o.Name, o.Finalizers, o.Status)
	}
	for _, o := range bindings.Items {
		parts = append(parts, o.Name, o.Finalizers, o.Status)
	}
	text, err := json.MarshalIndent(parts, "", " ")
	must(c.t, err)
	plain := strings.ReplaceAll(string(text), c.namespace, "NAMESPACE")
	return times.ReplaceAllString(uids.ReplaceAllString(plain, "UID"), `"lastTransitionTime":"TIME"`)
}
