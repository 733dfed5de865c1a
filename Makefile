# Everything that is done with this repository. Needs Go, git, make and sh.
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMG ?= statsig-operator:$(VERSION)
CONTAINER_TOOL ?= docker
# Extra flags: make test TESTFLAGS='-run Gate', make run ARGS='--help'.
TESTFLAGS ?=
ARGS ?=

BIN := $(CURDIR)/bin
CONTROLPLANE := go run ./hack/controlplane
MODULES = $(sort $(dir $(shell git ls-files -co --exclude-standard '*go.mod')))

# Tools are built once for each version that hack/tools/go.mod names.
tool_version = $(shell sed -n 's|^.*$(1) \(v[^ ]*\).*|\1|p' hack/tools/go.mod)
CONTROLLER_GEN := $(BIN)/controller-gen-$(call tool_version,sigs.k8s.io/controller-tools)
GOLANGCI_LINT := $(BIN)/golangci-lint-$(call tool_version,github.com/golangci/golangci-lint/v2)

# Only the race detector needs C.
export CGO_ENABLED := 0
race = $(shell command -v $(firstword $(shell go env CC)) >/dev/null 2>&1 && echo -race)
# Allocations cannot be counted under it, so the packages that do run without it as well, but for the long stories.
norace_packages = $(sort $(dir $(addprefix ./,$(shell git grep --untracked -l '^//go:build !race' -- '*_test.go'))))

# For use in recipes: a kubectl, ours where the machine has none.
kubectl = "$$(command -v kubectl || echo "$$($(CONTROLPLANE) assets)/kubectl")"

##@ Generate

.PHONY: generate
generate: $(CONTROLLER_GEN) ## Write the DeepCopy functions of the API types.
	$(CONTROLLER_GEN) object paths=./api/...

.PHONY: manifests
manifests: $(CONTROLLER_GEN) ## Write the CRDs, the manager's role and what Argo CD is told under config/.
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:dir=config/crd/bases
	$(CONTROLLER_GEN) rbac:roleName=manager-role paths=./controllers/... output:rbac:dir=config/rbac
	go run ./config/argocd > config/argocd/argocd-cm.yaml

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the Go code and sort its imports.
	$(GOLANGCI_LINT) fmt

##@ Check

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run the linters.
	$(GOLANGCI_LINT) run

.PHONY: test
test: ## Run every test, the controllers against a real API server.
	assets="$$($(CONTROLPLANE) assets)" && export KUBEBUILDER_ASSETS="$$assets" && \
	$(if $(race),CGO_ENABLED=1) go test $(race) -timeout 30m $(TESTFLAGS) ./... \
	$(if $(and $(race),$(norace_packages)),&& go test -timeout 30m -skip '^TestStory' $(TESTFLAGS) $(norace_packages))

.PHONY: test-unit
test-unit: ## Run the tests that need no API server, without the race detector.
	go test $(TESTFLAGS) ./api/... ./pkg/... ./cmd/...

.PHONY: e2e
e2e: ## Run the operator with the real scheduler, Flux, Argo Rollouts and Flagger; these are built once, some minutes.
	$(CONTROLPLANE) build >/dev/null
	$(CONTROLPLANE) delivery >/dev/null
	$(if $(race),CGO_ENABLED=1) go test $(race) -count 1 -tags e2e -v -timeout 30m $(TESTFLAGS) ./hack/e2e

.PHONY: bench
bench: ## Run the benchmarks.
	go test -run '^$$' -bench . -benchmem $(TESTFLAGS) ./...

.PHONY: bench-peers
bench-peers: ## Measure this evaluator and event logger beside others. Takes minutes; ARGS for flags.
	cd hack/bench && go run . $(ARGS)

.PHONY: bench-ofrep
bench-ofrep: ## Measure evaluations over HTTP under load. ARGS for flags.
	go run ./hack/ofrep-load $(ARGS)

.PHONY: conformance
conformance: ## Compare with the official SDK's recorded answers; CONFORMANCE_DIR=folder adds more.
	go run ./hack/conformance $(ARGS)

.PHONY: conformance-live
conformance-live: ## Compare with the official SDK on random documents. Needs node and npm; ARGS="--seed 1 --documents 100".
	go run ./hack/conformance-live $(ARGS)

.PHONY: verify
verify: generate manifests ## Fail if anything generated, tidied or formatted differs from what is committed.
	@for dir in $(MODULES); do echo "go mod tidy -diff in $$dir"; (cd "$$dir" && GOWORK=off go mod tidy -diff) || exit 1; done
	@unformatted="$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l)"; \
	  test -z "$$unformatted" || { echo "not formatted, run \"make fmt\":"; echo "$$unformatted"; exit 1; }
	@changes="$$(git status --porcelain --untracked-files=all)"; \
	  test -z "$$changes" || { echo "the working tree differs from the commit:"; echo "$$changes"; git --no-pager diff; exit 1; }

##@ Build and run

.PHONY: build
build: ## Build bin/manager and the kubectl plugin bin/kubectl-statsig.
	go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN)/ ./cmd/...

.PHONY: run
run: ## Run the manager on this machine, against the cluster of the current kubeconfig.
	go run ./cmd/manager $(ARGS)

.PHONY: image
image: ## Build the container image IMG.
	$(CONTAINER_TOOL) build --build-arg VERSION=$(VERSION) -t $(IMG) .

.PHONY: demo
demo: ## Show everything on a local control plane; DEMO_ONESHOT=1 ends by itself.
	go run ./hack/demo

.PHONY: demo-down
demo-down: ## End the demo.
	go run ./hack/demo down

##@ Cluster

.PHONY: install
install: ## Apply the CRDs.
	$(kubectl) apply --server-side -k config/crd

.PHONY: uninstall
uninstall: ## Delete every object of ours, then the CRDs. Run it before undeploy: the manager cleans up.
	$(kubectl) delete rolloutgates,flagbindings,statsigprojects --all --all-namespaces --ignore-not-found
	$(kubectl) delete --ignore-not-found -k config/crd

.PHONY: deploy
deploy: ## Apply the CRDs, the roles and the manager with the image IMG.
	$(kubectl) kustomize config/default | sed 's|image: statsig-operator:latest|image: $(IMG)|' | \
	  $(kubectl) apply --server-side -f -

.PHONY: undeploy
undeploy: ## Delete the manager and its roles; the CRDs and your objects stay.
	$(kubectl) delete --ignore-not-found -k config/operator

.PHONY: controlplane
controlplane: ## Build the local control plane, once per version.
	$(CONTROLPLANE) build

.PHONY: controlplane-up
controlplane-up: ## Start a local control plane and print its KUBECONFIG.
	@$(CONTROLPLANE) up

.PHONY: controlplane-down
controlplane-down: ## Stop the local control plane.
	@$(CONTROLPLANE) down

##@ Help

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' Makefile

$(CONTROLLER_GEN):
	cd hack/tools && GOWORK=off go build -o $@ sigs.k8s.io/controller-tools/cmd/controller-gen

$(GOLANGCI_LINT):
	@echo "building golangci-lint, which takes a minute or two"
	cd hack/tools && GOWORK=off go build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
