// Package controllers reconciles StatsigProject, FlagBinding and RolloutGate. It is the only package that knows both
// Kubernetes and Statsig: it turns objects into values for pkg/eval, pkg/subject and pkg/render, and what they return
// into writes and conditions.
//
// Each reconciler observes, decides and acts: <kind>_phases.go does IO and fills a scope with observations, the
// functions in <kind>_status.go turn a scope into conditions without IO, and one patch writes the status when its
// meaning changed. Nothing polls: bindings are queued by watches, by changes of the specs that touch their closure, and
// by one timer at the next time boundary of their rules.
//
// StatsigProjects are reconciled on every replica, so that each has the rules and can answer over HTTP (http_*.go);
// only the replica that leads writes, and reconciles the other kinds.
//
// Reconcilers are safe for the concurrency that controller-runtime gives them: one reconcile per object at a time.
package controllers
