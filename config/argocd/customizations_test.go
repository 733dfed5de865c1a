package main

import (
	"bytes"
	"cmp"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// kindsOf are the kinds of the API, by their folder.
func kindsOf(t *testing.T) map[string]func() any {
	t.Helper()
	kinds := map[string]func() any{
		"StatsigProject": func() any { return &v1alpha1.StatsigProject{} },
		"FlagBinding":    func() any { return &v1alpha1.FlagBinding{} },
		"RolloutGate":    func() any { return &v1alpha1.RolloutGate{} },
	}
	byDir := map[string]func() any{}
	for kind, object := range kinds {
		byDir[path.Join(root, v1alpha1.GroupVersion.Group, kind)] = object
	}
	return byDir
}

// healthTests is a health_test.yaml.
type healthTests struct {
	Tests []struct {
		InputPath    string `json:"inputPath"`
		HealthStatus health `json:"healthStatus"`
	} `json:"tests"`
}

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func TestHealth(t *testing.T) {
	for dir := range kindsOf(t) {
		var tests healthTests
		decode(t, path.Join(dir, "health_test.yaml"), &tests)
		if len(tests.Tests) == 0 {
			t.Errorf("%s has no tests of its health", dir)
		}
		script := text(t, path.Join(dir, "health.lua"))
		for _, tc := range tests.Tests {
			t.Run(path.Base(dir)+"/"+path.Base(tc.InputPath), func(t *testing.T) {
				got, err := run(t.Context(), script, object(t, path.Join(dir, tc.InputPath)), nil)
				if err != nil {
					t.Fatal(err)
				}
				if diff := gocmp.Diff(tc.HealthStatus, into[health](t, got)); diff != "" {
					t.Errorf("health (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// actionTests is an action_test.yaml.
type actionTests struct {
	DiscoveryTests []struct {
		InputPath string      `json:"inputPath"`
		Result    []offeredAs `json:"result"`
	} `json:"discoveryTests"`
	ActionTests []struct {
		Action               string            `json:"action"`
		InputPath            string            `json:"inputPath"`
		ExpectedOutputPath   string            `json:"expectedOutputPath"`
		ExpectedErrorMessage string            `json:"expectedErrorMessage"`
		Parameters           map[string]string `json:"parameters"`
	} `json:"actionTests"`
}

// offeredAs is how Argo CD offers an action.
type offeredAs struct {
	Name        string `json:"name"`
	Disabled    bool   `json:"disabled"`
	IconClass   string `json:"iconClass"`
	DisplayName string `json:"displayName"`
	Params      []struct {
		Name string `json:"name"`
	} `json:"params"`
}

func TestDiscoveryOfActions(t *testing.T) {
	for dir := range kindsOf(t) {
		var tests actionTests
		decode(t, path.Join(dir, "actions", "action_test.yaml"), &tests)
		script := text(t, path.Join(dir, "actions", "discovery.lua"))
		if len(tests.DiscoveryTests) == 0 {
			t.Errorf("%s has no tests of what is offered", dir)
		}
		for _, tc := range tests.DiscoveryTests {
			t.Run(path.Base(dir)+"/"+path.Base(tc.InputPath), func(t *testing.T) {
				value, err := run(t.Context(), script, object(t, path.Join(dir, "actions", tc.InputPath)), nil)
				if err != nil {
					t.Fatal(err)
				}
				var got []offeredAs
				for name, action := range into[map[string]offeredAs](t, value) {
					action.Name = name
					got = append(got, action)
				}
				byName := func(a, b offeredAs) int { return cmp.Compare(a.Name, b.Name) }
				slices.SortFunc(got, byName)
				slices.SortFunc(tc.Result, byName)
				if diff := gocmp.Diff(tc.Result, got); diff != "" {
					t.Errorf("what is offered (-want +got):\n%s", diff)
				}
				expectScripts(t, dir, got)
			})
		}
	}
}

// expectScripts reports actions that are offered without a script, and scripts that are never offered.
func expectScripts(t *testing.T, dir string, offered []offeredAs) {
	t.Helper()
	var names, scripts []string
	for _, action := range offered {
		names = append(names, action.Name)
	}
	found, err := fs.Glob(customizations, path.Join(dir, "actions", "*", "action.lua"))
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range found {
		scripts = append(scripts, path.Base(path.Dir(script)))
	}
	if diff := gocmp.Diff(names, scripts); diff != "" {
		t.Errorf("actions that are offered, and their scripts (-offered +scripts):\n%s", diff)
	}
}

func TestActions(t *testing.T) {
	for dir := range kindsOf(t) {
		var tests actionTests
		decode(t, path.Join(dir, "actions", "action_test.yaml"), &tests)
		tested := map[string]bool{}
		for _, tc := range tests.ActionTests {
			tested[tc.Action] = true
			t.Run(path.Base(dir)+"/"+tc.Action+"/"+path.Base(tc.InputPath), func(t *testing.T) {
				script := text(t, path.Join(dir, "actions", tc.Action, "action.lua"))
				was := object(t, path.Join(dir, "actions", tc.InputPath))
				got, err := run(t.Context(), script, was, tc.Parameters)
				if tc.ExpectedErrorMessage != "" {
					if err == nil || err.Error() != tc.ExpectedErrorMessage {
						t.Errorf("error %v, want %q", err, tc.ExpectedErrorMessage)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				want := any(object(t, path.Join(dir, "actions", tc.ExpectedOutputPath)))
				if diff := gocmp.Diff(want, restoreEmpty(got, was)); diff != "" {
					t.Errorf("the object after it (-want +got):\n%s", diff)
				}
			})
		}
		scripts, err := fs.Glob(customizations, path.Join(dir, "actions", "*", "action.lua"))
		if err != nil {
			t.Fatal(err)
		}
		for _, script := range scripts {
			if name := path.Base(path.Dir(script)); !tested[name] {
				t.Errorf("%s: action %s has no test", dir, name)
			}
		}
	}
}

func TestObjectsAreOfTheAPIAndInUse(t *testing.T) {
	for dir, newObject := range kindsOf(t) {
		uses := text(t, path.Join(dir, "health_test.yaml")) + text(t, path.Join(dir, "actions", "action_test.yaml"))
		files := 0
		for _, pattern := range []string{"testdata/*.yaml", "actions/testdata/*.yaml"} {
			found, err := fs.Glob(customizations, path.Join(dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range found {
				files++
				if err := yaml.UnmarshalStrict([]byte(text(t, file)), newObject()); err != nil {
					t.Errorf("%s is no object of the API: %v", file, err)
				}
				if !strings.Contains(uses, "testdata/"+path.Base(file)+"\n") {
					t.Errorf("no test uses %s", file)
				}
			}
		}
		if files == 0 {
			t.Errorf("%s has no objects", dir)
		}
	}
}

func TestEveryKindHasCustomizations(t *testing.T) {
	found, err := fs.Glob(customizations, path.Join(root, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	crds, err := filepath.Glob("../crd/bases/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(kindsOf(t)) || len(found) != len(crds) {
		t.Errorf("%d folders, %d kinds, %d CRDs; want as many of each", len(found), len(kindsOf(t)), len(crds))
	}
}

func TestTheConfigMapIsUpToDate(t *testing.T) {
	var want bytes.Buffer
	if err := write(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("argocd-cm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("run \"go run ./config/argocd > config/argocd/argocd-cm.yaml\" (-want +got):\n%s", diff)
	}
}

func text(t *testing.T, file string) string {
	t.Helper()
	content, err := customizations.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func decode(t *testing.T, file string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text(t, file)), into); err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
}

func object(t *testing.T, file string) map[string]any {
	t.Helper()
	var o map[string]any
	decode(t, file, &o)
	return o
}
