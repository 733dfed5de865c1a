// Package e2e tests the operator together with what it is made for: the real Kubernetes scheduler and controller manager, Flux's
// kustomize-controller, the Argo Rollouts controller and Flagger, on the local control plane of hack/controlplane. Statsig is played by
// pkg/statsigtest, kubelets by kwok; everything else is the real thing, and everything listens on loopback only.
//
// "make e2e" runs the tests; without the build tag e2e there are none. They build the delivery controllers once per version, some
// minutes. What the processes print stays in .cache/e2e.
package e2e
