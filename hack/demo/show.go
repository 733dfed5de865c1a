package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/statsig-operator/statsig-operator/hack/internal/process"
)

// expectations are what the demo project gives these workloads; pkg/statsigtest/README.md lists the same.
var expectations = map[string]map[string]string{
	"flags-checkout": {"newCheckout": "true", "euBanner": "true", "goldRPS": "300", "buttonColor": "green", "rankingModel": "gradient-boost", "theme": "modern"},
	"flags-cart":     {"newCheckout": "false", "euBanner": "true", "goldRPS": "300", "buttonColor": "blue", "rankingModel": "baseline", "theme": "classic"},
	"flags-search":   {"newCheckout": "true", "euBanner": "true", "goldRPS": "300", "buttonColor": "gray", "rankingModel": "gradient-boost", "theme": "modern"},
}

func (d *demo) showValues(ctx context.Context) error {
	if err := d.show(ctx, "get", "statsig", "-A"); err != nil {
		return err
	}
	for name, want := range expectations {
		if err := d.expectConfigMap(ctx, name, want); err != nil {
			return err
		}
	}
	if err := d.show(ctx, "-n", namespace, "get", "configmap", "flags-checkout", "flags-cart", "flags-search", "-o",
		"custom-columns=CONFIGMAP:.metadata.name,newCheckout:.data.newCheckout,buttonColor:.data.buttonColor,"+
			"goldRPS:.data.goldRPS,rankingModel:.data.rankingModel,theme:.data.theme"); err != nil {
		return err
	}
	err := d.eventually(ctx, 30*time.Second, "every pod carries its values", func() error { return d.expectAnnotations(ctx, "true") })
	if err != nil {
		return err
	}
	return d.show(ctx, "-n", namespace, "get", "pods", "-o",
		`custom-columns=POD:.metadata.name,newCheckout:.metadata.annotations.flags\.example\.com/newCheckout,`+
			`buttonColor:.metadata.annotations.flags\.example\.com/buttonColor,LEDGER newCheckout:.metadata.annotations.ledger\.example\.com/newCheckout`)
}

func (d *demo) expectConfigMap(ctx context.Context, name string, want map[string]string) error {
	text, err := d.kubectl(ctx, "-n", namespace, "get", "configmap", name, "-o", "json")
	if err != nil {
		return err
	}
	var object struct{ Data map[string]string }
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return err
	}
	for key, value := range want {
		if object.Data[key] != value {
			return fmt.Errorf("ConfigMap %s has %s=%q, expected %q", name, key, object.Data[key], value)
		}
	}
	return nil
}

// expectAnnotations checks what the checkout pods say about the gate, and that every pod carries something.
func (d *demo) expectAnnotations(ctx context.Context, checkout string) error {
	text, err := d.kubectl(ctx, "-n", namespace, "get", "pods", "-o", "json")
	if err != nil {
		return err
	}
	var list struct {
		Items []struct {
			Metadata struct {
				Name                string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return err
	}
	if len(list.Items) != 7 {
		return fmt.Errorf("there are %d pods, expected 7", len(list.Items))
	}
	for _, pod := range list.Items {
		annotation := "flags.example.com/newCheckout"
		if pod.Metadata.Labels["app"] == "ledger" {
			annotation = "ledger.example.com/newCheckout"
		}
		value := pod.Metadata.Annotations[annotation]
		if value == "" || (pod.Metadata.Labels["app"] == "checkout" && value != checkout) {
			return fmt.Errorf("pod %s has %s=%q", pod.Metadata.Name, annotation, value)
		}
	}
	return nil
}

func (d *demo) showExposures(ctx context.Context) error {
	binary := filepath.Join(d.dir, "bin", "statsig")
	var table string
	err := d.eventually(ctx, 30*time.Second, "exposures arrive", func() error {
		var err error
		table, err = d.output(ctx, binary, "events", "--url", d.serverURL)
		for _, want := range []string{"shop/checkout", "shop/cart", "shop/search", "shop/ledger-0", "new_checkout", "button_color", "ranking"} {
			if err == nil && !strings.Contains(table, want) {
				err = fmt.Errorf("no exposure speaks of %s yet", want)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	d.printf("$ go run ./hack/statsig events --url %s\n%s", d.serverURL, indent(table))
	return nil
}

// flipGate closes a gate and measures how long it takes until ConfigMap and pods say so; the server is asked every second.
func (d *demo) flipGate(ctx context.Context) error {
	d.printf("$ go run ./hack/statsig flip --url %s new_checkout off\n", d.serverURL)
	if _, err := d.output(ctx, filepath.Join(d.dir, "bin", "statsig"), "flip", "--url", d.serverURL, "new_checkout", "off"); err != nil {
		return err
	}
	flipped := time.Now()
	for _, step := range []struct {
		what string
		met  func() error
	}{
		{"ConfigMap flags-checkout says false", func() error {
			return d.expectConfigMap(ctx, "flags-checkout", map[string]string{"newCheckout": "false", "theme": "classic"})
		}},
		{"every checkout pod says false", func() error { return d.expectAnnotations(ctx, "false") }},
	} {
		if err := d.eventually(ctx, 30*time.Second, step.what, step.met); err != nil {
			return err
		}
		d.printf("  %s after %s\n", step.what, time.Since(flipped).Round(10*time.Millisecond))
	}
	err := d.kubectlQuiet(ctx, "-n", namespace, "wait", "--for=condition=Ready", "flagbindings", "--all", "--timeout=30s")
	if err != nil {
		return err
	}
	if err := d.show(ctx, "-n", namespace, "get", "flagbinding", "shop-flags", "-o",
		`jsonpath={range .status.entries[*]}{.name}={.value} rule {.ruleID} {.group} {.reason} ({.units} units){"\n"}{end}`); err != nil {
		return err
	}
	return d.show(ctx, "-n", namespace, "events", "--types=Normal,Warning", "--for", "flagbinding/shop-flags")
}

// showQuiet restarts the manager and checks that nothing is written: no target, no status.
func (d *demo) showQuiet(ctx context.Context) error {
	before, err := d.resourceVersions(ctx)
	if err != nil {
		return err
	}
	if err := process.Stop(d.dir, managerName, 30*time.Second); err != nil {
		return err
	}
	text, err := d.output(ctx, filepath.Join(d.dir, "bin", "statsig"), "events", "--url", d.serverURL, "-o", "json")
	if err != nil {
		return err
	}
	exposed := strings.Count(text, "\n")
	if err := d.runManager(ctx, filepath.Join(d.dir, "manager.kubeconfig")); err != nil {
		return err
	}
	err = d.eventually(ctx, time.Minute, "the restarted manager has evaluated everything", func() error {
		text, err := d.output(ctx, filepath.Join(d.dir, "bin", "statsig"), "events", "--url", d.serverURL, "-o", "json")
		if err == nil && strings.Count(text, "\n") <= exposed {
			err = errors.New("no exposure since")
		}
		return err
	})
	if err != nil {
		return err
	}
	after, err := d.resourceVersions(ctx)
	if err != nil {
		return err
	}
	if before != after {
		return fmt.Errorf("the restarted manager wrote something:\nbefore:\n%s\nafter:\n%s", before, after)
	}
	d.printf("The manager was stopped and started again: every object still has the resource version it had.\n")
	return d.searchKey(ctx)
}

// showDeletion deletes a binding and checks that what it wrote goes with it, and nothing else.
func (d *demo) showDeletion(ctx context.Context) error {
	manifest, err := d.kubectl(ctx, "-n", namespace, "get", "flagbinding", "shop-flags", "-o", "json")
	if err != nil {
		return err
	}
	if err := d.show(ctx, "-n", namespace, "delete", "flagbinding", "shop-flags"); err != nil {
		return err
	}
	// Kubernetes' garbage collector takes the ConfigMaps. It learns of new kinds every half minute, and this cluster is hardly older.
	err = d.eventually(ctx, 3*time.Minute, "its ConfigMaps and annotations are gone", func() error {
		return d.expectGone(ctx, "flags-checkout", "flags-cart", "flags-search", "flags.example.com/")
	})
	if err != nil {
		return err
	}
	if err := d.kubectlQuiet(ctx, "-n", namespace, "get", "configmap", "shop-settings"); err != nil {
		return err
	}
	if _, err := d.kubectlInput(ctx, withoutServerFields(manifest), "apply", "-f", "-"); err != nil {
		return err
	}
	if err := d.kubectlQuiet(ctx, "-n", namespace, "wait", "--for=condition=Ready", "flagbinding/shop-flags", "--timeout=30s"); err != nil {
		return err
	}
	d.printf("Its ConfigMaps and annotations went with it, and nothing else; applied again, they are back.\n")
	return d.expectConfigMap(ctx, "flags-checkout", map[string]string{"newCheckout": "false"})
}

// expectGone fails while a ConfigMap of one of the names is there, or a pod with an annotation of one of the prefixes.
func (d *demo) expectGone(ctx context.Context, names ...string) error {
	text, err := d.kubectl(ctx, "-n", namespace, "get", "configmaps,pods", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.metadata.annotations}{"\n"}{end}`)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.Contains(text, name) {
			return fmt.Errorf("%s is still there", name)
		}
	}
	if !strings.Contains(text, "ledger.example.com/") {
		return errors.New("the annotations of another FlagBinding are gone too")
	}
	return nil
}

// withoutServerFields reduces an object to what a user would have applied.
func withoutServerFields(manifest string) string {
	var object map[string]any
	if json.Unmarshal([]byte(manifest), &object) != nil {
		return manifest
	}
	delete(object, "status")
	object["metadata"] = map[string]any{"name": "shop-flags", "namespace": namespace}
	reduced, err := json.Marshal(object)
	if err != nil {
		return manifest
	}
	return string(reduced)
}

// resourceVersions lists the versions of everything that the operator writes.
func (d *demo) resourceVersions(ctx context.Context) (string, error) {
	text, err := d.kubectl(ctx, "-n", namespace, "get", "flagbindings,rolloutgates,configmaps,pods", "-o",
		`jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	sort.Strings(lines)
	return strings.Join(lines, "\n"), err
}

// searchKey looks for the SDK key wherever it must not be.
func (d *demo) searchKey(ctx context.Context) error {
	places := map[string]string{}
	for _, name := range []string{managerName, serverName} {
		text, err := os.ReadFile(process.LogFile(d.dir, name))
		if err != nil {
			return err
		}
		places["the log of "+name] = string(text)
	}
	for _, kind := range []string{"statsigprojects", "flagbindings", "rolloutgates", "configmaps", "pods", "events"} {
		text, err := d.kubectl(ctx, "get", kind, "-A", "-o", "yaml", "--show-managed-fields")
		if err != nil {
			return err
		}
		places[kind] = text
	}
	for place, text := range places {
		if strings.Contains(text, sdkKey) {
			return fmt.Errorf("the SDK key shows in %s", place)
		}
	}
	d.printf("The SDK key shows in no log, status, event, ConfigMap or pod.\n")
	return nil
}

func (d *demo) farewell() {
	if os.Getenv("DEMO_ONESHOT") != "" {
		return
	}
	d.printf(`
Everything goes on running. Look around:

  export KUBECONFIG=%s
  %s get statsig -A
  %s -n shop get fb shop-flags -o yaml
  go run ./hack/statsig flip --url %s new_checkout 100
  go run ./hack/statsig flip --url %s release_checkout off      # and: %s -n shop get rg
  go run ./hack/statsig events --url %s --follow

End it with: make demo-down
`, d.kubeconfig, d.kubectlName(), d.kubectlName(), d.serverURL, d.serverURL, d.kubectlName(), d.serverURL)
}

// showLogs prints the ends of the logs, for somebody who can't look at the files.
func (d *demo) showLogs() {
	for _, name := range []string{managerName, serverName} {
		lines, err := process.LogTail(d.dir, name, 30)
		if err == nil && len(lines) > 0 {
			d.printf("\nThe last lines of %s:\n%s\n", process.LogFile(d.dir, name), indent(strings.Join(lines, "\n")))
		}
	}
}
