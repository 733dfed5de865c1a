// Package cluster runs a Kubernetes control plane as plain processes on loopback
// ports: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok,
// which plays the kubelets. Deployments roll and pods become Ready; no container
// ever runs.
//
// A cluster lives in one folder and is thrown away when it stops. Clusters in
// different folders do not know of each other. Everybody who can read the folder
// is cluster administrator, so only its owner can. It is for development only.
//
// Calls on one folder exclude each other, across processes too.
package cluster
