package v1alpha1_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// The tests in the *_validation_test.go files ask a real API server what it makes of our CRDs. It is started by the first
// test that needs it, and stopped by TestMain. go test -short leaves them out.

func TestMain(m *testing.M) {
	code := m.Run()
	if err := apiServer.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the API server:", err)
		code = 1
	}
	os.Exit(code)
}

// cluster is an API server with our CRDs.
type cluster struct {
	once   sync.Once
	err    error
	env    *envtest.Environment
	config *rest.Config
	client client.Client
}

var apiServer cluster

// needsAPIServer returns the package's API server. It skips the test under -short.
func needsAPIServer(t *testing.T) *cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("needs an API server, which -short does without")
	}
	apiServer.once.Do(func() { apiServer.err = apiServer.start(context.Background()) })
	if apiServer.err != nil {
		t.Fatalf("Starting an API server: %v", apiServer.err)
	}
	return &apiServer
}

func (c *cluster) start(ctx context.Context) error {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return err
	}
	assets, err := assetsDir(ctx, root)
	if err != nil {
		return err
	}
	env := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(root, "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
		BinaryAssetsDirectory: assets,
	}
	c.env = env
	if c.config, err = env.Start(); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	c.client, err = client.New(c.config, client.Options{Scheme: scheme})
	return err
}

func (c *cluster) stop() error {
	if c.env == nil {
		return nil
	}
	return c.env.Stop()
}

// assetsDir is where etcd and kube-apiserver are. They are built where KUBEBUILDER_ASSETS does not name them.
func assetsDir(ctx context.Context, root string) (string, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir, nil
	}
	command := exec.CommandContext(ctx, "go", "run", "./hack/controlplane", "assets")
	command.Dir, command.Stderr = root, os.Stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("building the control plane: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// validationCase is a change of a valid object and what the API server says to it.
type validationCase struct {
	// change is YAML that is merged into the object's spec: null removes a field, lists are replaced.
	change string
	// want is a part of the refusal, "<field>: <message>", where … stands for any text; empty when the change is accepted.
	want string
}

// checkValidation creates, without keeping it, the object that a case describes.
func checkValidation(t *testing.T, base string, tc validationCase) {
	t.Helper()
	object := &unstructured.Unstructured{Object: parse(t, base)}
	object.SetNamespace("default")
	object.SetName("subject-of-test")
	object.Object["spec"] = merge(object.Object["spec"], parse(t, tc.change))
	err := needsAPIServer(t).client.Create(t.Context(), object, client.DryRunAll, client.FieldValidation("Strict"))
	switch {
	case tc.want == "" && err != nil:
		t.Errorf("accepted: want it to be, got %v", err)
	case tc.want == "":
	case err == nil:
		t.Errorf("accepted: want a refusal with %q", tc.want)
	case !apierrors.IsInvalid(err):
		t.Errorf("error: want Invalid with %q, got %v", tc.want, err)
	case !refusedFor(err, tc.want):
		t.Errorf("refusal: want it to have %q, got %v", tc.want, err)
	}
}

// refusedFor looks for what a case wants among the causes of a refusal.
func refusedFor(err error, want string) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	parts := strings.Split(want, "…")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	pattern := regexp.MustCompile("(?s)" + strings.Join(parts, ".*"))
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool {
		return pattern.MatchString(c.Field + ": " + c.Message)
	})
}

// parse reads YAML as the API server's JSON decoder would.
func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]any{}
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// merge merges a change into a value, as a JSON merge patch does.
func merge(value, change any) any {
	changes, ok := change.(map[string]any)
	if !ok {
		return change
	}
	old, _ := value.(map[string]any)
	merged := maps.Clone(old)
	if merged == nil {
		merged = map[string]any{}
	}
	for name, member := range changes {
		if member == nil {
			delete(merged, name)
			continue
		}
		merged[name] = merge(merged[name], member)
	}
	return merged
}
