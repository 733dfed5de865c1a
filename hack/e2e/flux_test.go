//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var (
	gitRepositoryKind = schema.GroupVersionKind{Group: "source.toolkit.fluxcd.io", Version: "v1", Kind: "GitRepository"}
	kustomizationKind = schema.GroupVersionKind{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Kind: "Kustomization"}
)

// source plays Flux's source-controller for one GitRepository: a server on loopback has the tarballs, and the object's status names
// the newest.
type source struct {
	s        *story
	url      string
	object   *unstructured.Unstructured
	revision int

	mu       sync.Mutex
	tarballs map[string][]byte // by path
}

// newSource makes the GitRepository "apps" with a first revision.
func (s *story) newSource(files map[string]string) *source {
	s.t.Helper()
	src := &source{s: s, tarballs: map[string][]byte{}, object: unstructuredOf(gitRepositoryKind, s.namespace, "apps")}
	server := httptest.NewServer(src)
	s.t.Cleanup(server.Close)
	src.url = server.URL
	must(s.t, unstructured.SetNestedField(src.object.Object, "https://git.example.com/apps.git", "spec", "url"))
	s.create(src.object)
	src.publish(files)
	return src
}

func (src *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	src.mu.Lock()
	tarball, ok := src.tarballs[r.URL.Path]
	src.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(tarball)
}

// publish makes these files the newest revision, and returns its name.
func (src *source) publish(files map[string]string) string {
	src.s.t.Helper()
	tarball, err := pack(files)
	must(src.s.t, err)
	src.revision++
	path := fmt.Sprintf("/%d.tar.gz", src.revision)
	src.mu.Lock()
	src.tarballs[path] = tarball
	src.mu.Unlock()

	revision := fmt.Sprintf("main@sha1:%040x", src.revision)
	artifact := map[string]any{
		"path": "apps" + path, "url": src.url + path, "revision": revision, "size": int64(len(tarball)),
		"digest": fmt.Sprintf("sha256:%x", sha256.Sum256(tarball)), "lastUpdateTime": time.Now().UTC().Format(time.RFC3339),
	}
	must(src.s.t, unstructured.SetNestedMap(src.object.Object, artifact, "status", "artifact"))
	must(src.s.t, src.s.c.Status().Update(src.s.t.Context(), src.object))
	return revision
}

func pack(files map[string]string) ([]byte, error) {
	var tarball bytes.Buffer
	zipped := gzip.NewWriter(&tarball)
	archive := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write([]byte(files[name])); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	err := zipped.Close()
	return tarball.Bytes(), err
}

func unstructuredOf(kind schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

func (s *story) kustomization(name string) *unstructured.Unstructured {
	return unstructuredOf(kustomizationKind, s.namespace, name)
}

// newKustomization makes a Kustomization that applies a folder of the source "apps" and waits for nothing.
func (s *story) newKustomization(name, path string) {
	s.t.Helper()
	k := s.kustomization(name)
	k.Object["spec"] = map[string]any{
		"sourceRef": map[string]any{"kind": "GitRepository", "name": "apps"},
		"path":      path, "prune": true, "interval": "1h", "retryInterval": "2s", "timeout": "1m",
	}
	s.create(k)
}

// awaitKustomization waits until Flux says of a Kustomization's Ready condition what is wanted.
func (s *story) awaitKustomization(name, status, reason string) {
	s.t.Helper()
	await(s, s.kustomization(name), "Ready="+status+" "+reason, func(k *unstructured.Unstructured) string {
		gotStatus, gotReason, message := readyOf(k)
		if gotStatus == status && gotReason == reason {
			return ""
		}
		return fmt.Sprintf("it is %s %s %q", gotStatus, gotReason, message)
	})
}

// awaitApplied waits until a Kustomization is ready, with this revision.
func (s *story) awaitApplied(name, revision string) {
	s.t.Helper()
	await(s, s.kustomization(name), "revision "+revision, func(k *unstructured.Unstructured) string {
		applied, _, _ := unstructured.NestedString(k.Object, "status", "lastAppliedRevision")
		status, reason, message := readyOf(k)
		if applied == revision && status == "True" {
			return ""
		}
		return fmt.Sprintf("it has %s, and is %s %s %q", applied, status, reason, message)
	})
}

// reconcileNow asks Flux to apply a Kustomization again and waits until it has.
func (s *story) reconcileNow(name string) {
	s.t.Helper()
	asked := strconv.FormatInt(time.Now().UnixNano(), 10)
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"reconcile.fluxcd.io/requestedAt":%q}}}`, asked)
	must(s.t, s.c.Patch(s.t.Context(), s.kustomization(name), client.RawPatch("application/merge-patch+json", []byte(patch))))
	await(s, s.kustomization(name), "an answer to the request", func(k *unstructured.Unstructured) string {
		handled, _, _ := unstructured.NestedString(k.Object, "status", "lastHandledReconcileAt")
		status, reason, message := readyOf(k)
		if handled == asked && status == "True" {
			return ""
		}
		return fmt.Sprintf("the last was at %s, want %s, and it is %s %s %q", handled, asked, status, reason, message)
	})
}

func readyOf(o *unstructured.Unstructured) (status, reason, message string) {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, condition := range conditions {
		c, _ := condition.(map[string]any)
		if c["type"] == "Ready" {
			return fmt.Sprint(c["status"]), fmt.Sprint(c["reason"]), fmt.Sprint(c["message"])
		}
	}
	return "", "", ""
}
