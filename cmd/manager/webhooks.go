package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// addWebhooks serves Statsig's webhooks, if that is wanted.
func addWebhooks(ctx context.Context, mgr ctrl.Manager, o *options, handler http.Handler) error {
	if o.webhookAddress == "0" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.webhookAddress)
	if err != nil {
		return fmt.Errorf("listening for webhooks: %w", err)
	}
	if o.webhookCertDir != "" {
		watcher, err := certwatcher.New(filepath.Join(o.webhookCertDir, "tls.crt"), filepath.Join(o.webhookCertDir, "tls.key"))
		if err != nil {
			return errors.Join(fmt.Errorf("reading the webhooks' certificate: %w", err), listener.Close())
		}
		if err := mgr.Add(watcher); err != nil {
			return errors.Join(fmt.Errorf("watching the webhooks' certificate: %w", err), listener.Close())
		}
		listener = tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: watcher.GetCertificate})
	}
	server := &manager.Server{
		Name: "webhooks", Listener: listener,
		Server: &http.Server{
			Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
			IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		},
	}
	if err := mgr.Add(server); err != nil {
		return errors.Join(fmt.Errorf("serving webhooks: %w", err), listener.Close())
	}
	return nil
}
