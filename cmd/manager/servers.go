package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/statsig-operator/statsig-operator/controllers"
)

// addServers serves Statsig's webhooks, and those who ask for gates and evaluations, as far as that is wanted.
func addServers(ctx context.Context, mgr ctrl.Manager, o *options, operator *controllers.Operator) error {
	if o.webhookAddress != "0" {
		if _, err := addServer(ctx, mgr, endpoints{"webhooks", o.webhookAddress, o.webhookCertDir, operator.Webhooks()}); err != nil {
			return err
		}
	}
	if o.servingAddress == "0" {
		return nil
	}
	handler, err := operator.Serving(ctx, controllers.ServingOptions{QPS: o.servingQPS, Log: mgr.GetLogger().WithName("serving")})
	if err != nil {
		return fmt.Errorf("setting up the endpoints for gates: %w", err)
	}
	_, err = addServer(ctx, mgr, endpoints{"serving", o.servingAddress, o.servingCertDir, handler})
	return err
}

// serverShutdown is how long requests under way may take at the end, within --shutdown-timeout.
const serverShutdown = 5 * time.Second

// endpoints are what one server serves: over TLS with tls.crt and tls.key in certDir, or in plain where that is empty.
type endpoints struct {
	name, address, certDir string
	handler                http.Handler
}

// runner runs what is added to it, as a manager does.
type runner interface {
	Add(manager.Runnable) error
	GetLogger() logr.Logger
}

// addServer serves endpoints on every replica, from when the manager starts. Certificates are read again when they
// change. It returns the address that it listens at.
func addServer(ctx context.Context, mgr runner, e endpoints) (net.Addr, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", e.address)
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", e.name, err)
	}
	bound := listener.Addr()
	if e.certDir != "" {
		watcher, err := certwatcher.New(filepath.Join(e.certDir, "tls.crt"), filepath.Join(e.certDir, "tls.key"))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("reading the certificate of %s: %w", e.name, err), listener.Close())
		}
		if err := mgr.Add(watcher); err != nil {
			return nil, errors.Join(fmt.Errorf("watching the certificate of %s: %w", e.name, err), listener.Close())
		}
		listener = tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: watcher.GetCertificate})
	}
	shutdown := serverShutdown
	log := mgr.GetLogger().WithName(e.name)
	server := &manager.Server{
		Name: e.name, Listener: listener, ShutdownTimeout: &shutdown,
		Server: &http.Server{
			Handler: e.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
			IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
			ErrorLog: slog.NewLogLogger(logr.ToSlogHandler(log), slog.LevelInfo),
		},
	}
	if err := mgr.Add(server); err != nil {
		return nil, errors.Join(fmt.Errorf("serving %s: %w", e.name, err), listener.Close())
	}
	return bound, nil
}
