package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// gateToken is the bearer token in config/samples/gates/access.yaml.
const gateToken = "put-16-characters-or-more-here"

// release lets a Deployment wait behind a closed gate, opens the gate in Statsig, and shows the pods being scheduled.
func (d *demo) release(ctx context.Context) error {
	for _, sample := range []string{"access", "scheduling"} {
		if err := d.show(ctx, "apply", "--server-side", "-f", "config/samples/gates/"+sample+".yaml"); err != nil {
			return err
		}
	}
	err := d.eventually(ctx, 30*time.Second, "three pods wait for the gate", func() error {
		held, err := d.kubectl(ctx, "-n", namespace, "get", "rolloutgate", "release-cart", "-o",
			"jsonpath={.status.state} {.status.heldPods}")
		if err == nil && held != "Closed 3" {
			err = fmt.Errorf("the gate says %q", held)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := errors.Join(d.showRelease(ctx), d.askAsFlagger(ctx, http.StatusForbidden)); err != nil {
		return err
	}
	d.printf("$ go run ./hack/statsig flip --url %s release_checkout on\n", d.serverURL)
	_, err = d.output(ctx, filepath.Join(d.dir, "bin", "statsig"), "flip", "--url", d.serverURL, "release_checkout", "on")
	if err != nil {
		return err
	}
	flipped := time.Now()
	if err := d.kubectlQuiet(ctx, "-n", namespace, "wait", "--for=condition=Ready", "rolloutgates", "--all", "--timeout=30s"); err != nil {
		return err
	}
	d.printf("  the gates are open after %s\n", time.Since(flipped).Round(10*time.Millisecond))
	err = d.kubectlQuiet(ctx, "-n", namespace, "wait", "--for=condition=Available", "deployment/cart-next", "--timeout=60s")
	if err != nil {
		return err
	}
	d.printf("  Deployment cart-next is available after %s\n", time.Since(flipped).Round(10*time.Millisecond))
	if err := errors.Join(d.showRelease(ctx), d.askAsFlagger(ctx, http.StatusOK)); err != nil {
		return err
	}
	return d.show(ctx, "-n", namespace, "events", "--types=Normal,Warning", "--for", "rolloutgate/release-cart")
}

func (d *demo) showRelease(ctx context.Context) error {
	if err := d.show(ctx, "-n", namespace, "get", "rolloutgates"); err != nil {
		return err
	}
	return d.show(ctx, "-n", namespace, "get", "pods", "-l", "app=cart-next", "-o",
		"custom-columns=POD:.metadata.name,PHASE:.status.phase,NODE:.spec.nodeName,WAITS FOR:.spec.schedulingGates[*].name")
}

// askAsFlagger asks for the gate as a webhook of Flagger does, which reads the status code only.
func (d *demo) askAsFlagger(ctx context.Context, want int) error {
	url := "http://" + d.servingAddress + "/v1/flagger/" + namespace + "/release-checkout"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+gateToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	d.printf("$ curl -s -o /dev/null -w '%%{http_code}' -X POST -H \"Authorization: Bearer $TOKEN\" %s\n  %d\n", url, response.StatusCode)
	if response.StatusCode != want {
		return fmt.Errorf("%s answered %s, expected %d", url, response.Status, want)
	}
	return nil
}

// freeAddress finds a free port on loopback.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
