package cluster

import (
	"fmt"
	"os"
	"path/filepath"
)

// layout is the folder of one cluster.
type layout string

func (l layout) run() string        { return filepath.Join(string(l), "run") }
func (l layout) etcd() string       { return filepath.Join(string(l), "etcd") }
func (l layout) kubeconfig() string { return filepath.Join(string(l), "kubeconfig") }
func (l layout) pki(name string) string {
	return filepath.Join(string(l), "pki", name)
}

// create makes the folders, readable by their owner only.
func (l layout) create() error {
	for _, dir := range []string{l.run(), l.etcd(), l.pki("")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("creating cluster folder: %w", err)
		}
	}
	return nil
}

// clear removes what a cluster stored, except its logs. It names each part, so
// that a folder given by mistake loses nothing else.
func (l layout) clear() error {
	for _, path := range []string{l.etcd(), l.pki(""), l.kubeconfig()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("clearing cluster folder: %w", err)
		}
	}
	return nil
}
