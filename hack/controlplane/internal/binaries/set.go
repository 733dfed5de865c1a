package binaries

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

const (
	// AssetsVariable names a folder with an etcd, a kube-apiserver and a kubectl
	// to use in place of ours, as in all of the controller-runtime world.
	AssetsVariable = "KUBEBUILDER_ASSETS"
	// CacheVariable names the folder to keep built programs in.
	CacheVariable = "STATSIG_OPERATOR_CACHE"
)

// Set is the programs of one group, in one version.
type Set struct {
	group
	source string // hack/controlplane/build
	dir    string // cache folder of this version
	assets string // value of AssetsVariable, may be empty
	out    io.Writer
}

// Open finds the control plane's programs that belong to the repository that
// the working directory is in. Progress of later builds goes to out.
func Open(out io.Writer) (*Set, error) { return open(controlPlane, out) }

// OpenDelivery finds the delivery controllers, [Delivery], as Open finds the
// control plane. They are a group of their own, so that nobody builds them who
// does not need them.
func OpenDelivery(out io.Writer) (*Set, error) { return open(delivery, out) }

func open(g group, out io.Writer) (*Set, error) {
	root, err := RepositoryRoot()
	if err != nil {
		return nil, err
	}
	source := filepath.Join(root, "hack", "controlplane", "build")
	key, err := g.versionsHash(source)
	if err != nil {
		return nil, err
	}
	cache, err := cacheFolder()
	if err != nil {
		return nil, err
	}
	return &Set{
		group:  g,
		source: source,
		dir:    filepath.Join(cache, g.folder, key),
		assets: os.Getenv(AssetsVariable),
		out:    out,
	}, nil
}

// RepositoryRoot returns the folder of this repository, found upwards from the
// working directory.
func RepositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "hack", "controlplane", "build")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the repository: run this inside a clone of statsig-operator")
		}
		dir = parent
	}
}

// Dir is the cache folder of this version.
func (s *Set) Dir() string { return s.dir }

// Path returns the file of a program, whether or not it has been built.
func (s *Set) Path(name string) string {
	if s.assets != "" && slices.Contains(Assets, name) {
		if file := filepath.Join(s.assets, name); exists(file) {
			return file
		}
	}
	return filepath.Join(s.dir, name)
}

// AssetsDir returns the folder that holds [Assets]: the one that
// KUBEBUILDER_ASSETS names, else ours.
func (s *Set) AssetsDir() string {
	if s.assets != "" {
		return s.assets
	}
	return s.dir
}

// Ensure builds those of the named programs that do not exist yet.
func (s *Set) Ensure(ctx context.Context, names ...string) error {
	missing := s.missing(names)
	if len(missing) == 0 {
		return nil
	}
	return s.build(ctx, names)
}

func (s *Set) missing(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return exists(s.Path(name)) })
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// cacheFolder follows the XDG convention on every system, so that one line in a
// CI configuration is enough to keep it.
func cacheFolder() (string, error) {
	if dir := os.Getenv(CacheVariable); dir != "" {
		return filepath.Abs(dir)
	}
	base := os.Getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("finding a cache folder (set %s): %w", CacheVariable, err)
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "statsig-operator"), nil
}

// versionsHash identifies what a group's programs are built from: the platform,
// the recipe, and every file of the pinning modules.
func (g group) versionsHash(source string) (string, error) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s/%s %v %v\n", runtime.GOOS, runtime.GOARCH, g.programs, g.manifestFiles())
	for _, module := range g.modules() {
		if err := hashFolder(hash, filepath.Join(source, module)); err != nil {
			return "", fmt.Errorf("reading pinned versions: %w", err)
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}

func hashFolder(hash io.Writer, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(hash, "%s %d\n%s", entry.Name(), len(data), data)
		return nil
	})
}
