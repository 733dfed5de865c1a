//go:build e2e

package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// atOnce is how many tests run side by side. They wait for other programs far more than they compute.
const atOnce = 4

// cluster is what all tests share.
var cluster environment

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", fmt.Sprint(atOnce)); err != nil {
			panic(err)
		}
	}
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	log := zap.New(zap.WriteTo(&processLog))
	ctrl.SetLogger(log)
	klog.SetLogger(log)

	// An interrupt must not leave processes behind.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupts
		cancel()
		_ = cluster.stop(context.WithoutCancel(ctx))
		os.Exit(1)
	}()

	start := time.Now()
	err := cluster.start(ctx)
	if err == nil {
		fmt.Fprintf(os.Stderr, "Everything runs after %.0f s\n", time.Since(start).Seconds())
		code = m.Run()
	}
	if err := errors.Join(err, cluster.stop(context.WithoutCancel(ctx))); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = max(code, 1)
	}
	return code
}
