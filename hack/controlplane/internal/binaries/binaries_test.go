package binaries

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write makes a file with the given content below dir.
func write(t *testing.T, dir, name, content string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEveryProgramHasAPinnedVersion(t *testing.T) {
	root, err := RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(root, "hack", "controlplane", "build")
	for _, tc := range []struct {
		names []string
		group group
	}{{All, controlPlane}, {Delivery, delivery}} {
		programs := tc.group.programs
		if diff := cmp.Diff(slices.Sorted(slices.Values(tc.names)), slices.Sorted(maps.Keys(programs))); diff != "" {
			t.Errorf("names and programs of %s differ (-names +programs):\n%s", tc.group.folder, diff)
		}
		for name, p := range programs {
			version, err := p.version(source)
			if err != nil {
				t.Errorf("version of %s: %v", name, err)
			}
			if !strings.HasPrefix(version, "v") || strings.Count(version, ".") != 2 {
				t.Errorf("version of %s = %q, want a release", name, version)
			}
		}
	}
}

func TestVersionIsReadFromTheRequirement(t *testing.T) {
	p := program{module: "m", pin: "example.com/server"}
	tests := map[string]struct {
		modFile   string
		want      string
		wantError string
	}{
		"a requirement in a block": {
			modFile: "module m\n\nrequire (\n\texample.com/server v1.2.3 // indirect\n)\n",
			want:    "v1.2.3",
		},
		"a requirement on a line of its own": {
			modFile: "module m\n\nrequire example.com/server v1.2.3\n",
			want:    "v1.2.3",
		},
		"a tool line and a longer path are no requirement": {
			modFile:   "module m\n\ntool example.com/server\n\nrequire example.com/server/v3 v3.0.0\n",
			wantError: "does not require example.com/server",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "m/go.mod", tc.modFile)
			got, err := p.version(dir)
			if tc.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantError) {
					t.Fatalf("version() = %v, want an error with %q", err, tc.wantError)
				}
				return
			}
			if got != tc.want || err != nil {
				t.Errorf("version() = %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

func TestLinkerFlagsStampTheVersion(t *testing.T) {
	tests := map[string]struct {
		program string
		want    string
	}{
		"etcd knows its version": {program: Etcd, want: "-s -w"},
		"kwok is told its version": {
			program: Kwok,
			want:    "-s -w -X sigs.k8s.io/kwok/pkg/consts.Version=v1.36.3",
		},
		"Kubernetes is told its version, major and minor": {
			program: Scheduler,
			want: "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3" +
				" -X k8s.io/component-base/version.gitMajor=1" +
				" -X k8s.io/component-base/version.gitMinor=36",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, controlPlane.programs[tc.program].linkerFlags("v1.36.3")); diff != "" {
				t.Errorf("linkerFlags() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHashChangesWithThePins(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "etcd/go.mod", "module etcd\n")
	hash := func() string {
		t.Helper()
		got, err := group{programs: map[string]program{"etcd": {module: "etcd"}}}.versionsHash(dir)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}

	before := hash()
	if again := hash(); again != before {
		t.Errorf("hash of the same files changed: %s, %s", before, again)
	}
	write(t, dir, "etcd/go.mod", "module etcd // newer\n")
	if after := hash(); after == before {
		t.Errorf("hash of other files is the same: %s", after)
	}
}

func TestDeliveryPinsLeaveTheControlPlaneAlone(t *testing.T) {
	dir := t.TempDir()
	for _, module := range append(controlPlane.modules(), delivery.modules()...) {
		write(t, dir, module+"/go.mod", "module "+module+"\n")
	}
	hashes := func() [2]string {
		t.Helper()
		plane, err := controlPlane.versionsHash(dir)
		if err != nil {
			t.Fatal(err)
		}
		controllers, err := delivery.versionsHash(dir)
		if err != nil {
			t.Fatal(err)
		}
		return [2]string{plane, controllers}
	}

	before := hashes()
	write(t, dir, "flux/go.mod", "module flux // newer\n")
	after := hashes()
	if after[0] != before[0] {
		t.Error("the control plane would be built anew for another version of Flux")
	}
	if after[1] == before[1] {
		t.Error("the delivery controllers would not be built for another version of Flux")
	}
}

func TestCacheFolderCanBeMoved(t *testing.T) {
	tests := map[string]struct {
		env  map[string]string
		want string
	}{
		"the home folder has it by default": {
			env:  map[string]string{"HOME": "/home/gopher"},
			want: "/home/gopher/.cache/statsig-operator",
		},
		"XDG_CACHE_HOME moves it": {
			env:  map[string]string{"HOME": "/home/gopher", "XDG_CACHE_HOME": "/var/cache"},
			want: "/var/cache/statsig-operator",
		},
		"a relative XDG_CACHE_HOME is ignored, as its specification says": {
			env:  map[string]string{"HOME": "/home/gopher", "XDG_CACHE_HOME": "cache"},
			want: "/home/gopher/.cache/statsig-operator",
		},
		"our own variable wins": {
			env:  map[string]string{"XDG_CACHE_HOME": "/var/cache", CacheVariable: "/ci/cache"},
			want: "/ci/cache",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			for _, variable := range []string{"HOME", "XDG_CACHE_HOME", CacheVariable} {
				t.Setenv(variable, tc.env[variable])
			}
			got, err := cacheFolder()
			if got != tc.want || err != nil {
				t.Errorf("cacheFolder() = %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

func TestAssetsOfTheCallerAreUsed(t *testing.T) {
	assets, cache := t.TempDir(), t.TempDir()
	write(t, assets, APIServer, "")
	write(t, assets, Scheduler, "")
	t.Setenv(AssetsVariable, assets)
	t.Setenv(CacheVariable, cache)
	set, err := Open(io.Discard)
	if err != nil {
		t.Fatal(err)
	}

	tests := map[string]struct {
		program string
		want    string
	}{
		"a program that the folder has":                 {program: APIServer, want: filepath.Join(assets, APIServer)},
		"a program that the folder lacks is ours":       {program: Etcd, want: filepath.Join(set.Dir(), Etcd)},
		"a program that is no asset is ours in any way": {program: Scheduler, want: filepath.Join(set.Dir(), Scheduler)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := set.Path(tc.program); got != tc.want {
				t.Errorf("Path(%s) = %q, want %q", tc.program, got, tc.want)
			}
		})
	}
	if got := set.AssetsDir(); got != assets {
		t.Errorf("AssetsDir() = %q, want %q", got, assets)
	}
}

func TestNothingIsBuiltTwice(t *testing.T) {
	t.Setenv(AssetsVariable, "")
	t.Setenv(CacheVariable, t.TempDir())
	// Without a go command, any attempt to build fails.
	t.Setenv("PATH", "")
	set, err := Open(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Assets {
		write(t, set.Dir(), name, "")
	}
	if err := set.Ensure(t.Context(), Assets...); err != nil {
		t.Errorf("Ensure() of existing programs = %v", err)
	}
	if err := set.Ensure(t.Context(), All...); err == nil {
		t.Error("Ensure() of missing programs succeeded without a go command")
	}
}
