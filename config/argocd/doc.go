// Command argocd prints what a ConfigMap argocd-cm needs so that Argo CD knows the health of the operator's kinds, and their actions:
//
//	go run ./config/argocd > config/argocd/argocd-cm.yaml
//
// It is made of the files in resource_customizations, which have the layout that Argo CD itself has for kinds that it knows. The
// objects in testdata are real ones, as kubectl shows them. The command is not part of the operator, and runs one thing after another.
package main
