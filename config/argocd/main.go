package main

import (
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// root is the folder that has a folder for each group, and in it one for each kind.
const root = "resource_customizations"

//go:embed resource_customizations
var customizations embed.FS

// header says what to do with the ConfigMap. It would be wrong to apply it as a whole: argocd-cm holds much else.
const header = `# Made by "go run ./config/argocd"; don't edit. Add it to what your argocd-cm holds:
#   kubectl apply --server-side --field-manager=statsig-operator -f config/argocd/argocd-cm.yaml
# Without --server-side, kubectl would take away what was applied to argocd-cm before.
`

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "making the ConfigMap:", err)
		os.Exit(1)
	}
}

// configMap is a core/v1 ConfigMap, without the empty fields that the type of that name has.
type configMap struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metadata          `json:"metadata"`
	Data            map[string]string `json:"data"`
}

type metadata struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// actions are the actions of a kind, as argocd-cm has them.
type actions struct {
	Discovery   string   `json:"discovery.lua"`
	Definitions []action `json:"definitions"`
}

type action struct {
	Name string `json:"name"`
	Lua  string `json:"action.lua"`
}

// write prints the ConfigMap.
func write(w io.Writer) error {
	cm := configMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		Metadata: metadata{Name: "argocd-cm", Namespace: "argocd"},
		Data:     map[string]string{},
	}
	kinds, err := fs.Glob(customizations, path.Join(root, "*", "*"))
	if err != nil {
		return fmt.Errorf("finding kinds: %w", err)
	}
	for _, dir := range kinds {
		// Argo CD joins group and kind in a key with an underscore, since a key may hold no slash.
		key := path.Base(path.Dir(dir)) + "_" + path.Base(dir)
		if cm.Data["resource.customizations.health."+key], err = read(dir, "health.lua"); err != nil {
			return err
		}
		if cm.Data["resource.customizations.actions."+key], err = actionsOf(dir); err != nil {
			return err
		}
	}
	text, err := yaml.Marshal(cm)
	if err != nil {
		return fmt.Errorf("writing it as YAML: %w", err)
	}
	_, err = io.WriteString(w, header+string(text))
	return err
}

// actionsOf returns the actions of the kind whose folder dir is.
func actionsOf(dir string) (string, error) {
	discovery, err := read(dir, "actions/discovery.lua")
	if err != nil {
		return "", err
	}
	all := actions{Discovery: discovery}
	scripts, err := fs.Glob(customizations, path.Join(dir, "actions", "*", "action.lua"))
	if err != nil {
		return "", fmt.Errorf("finding actions: %w", err)
	}
	for _, script := range scripts {
		lua, err := read(script, "")
		if err != nil {
			return "", err
		}
		all.Definitions = append(all.Definitions, action{Name: path.Base(path.Dir(script)), Lua: lua})
	}
	text, err := yaml.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("writing the actions of %s: %w", dir, err)
	}
	return string(text), nil
}

// read returns a script. One line break at the end is enough for everybody.
func read(dir, file string) (string, error) {
	text, err := customizations.ReadFile(path.Join(dir, file))
	if err != nil {
		return "", fmt.Errorf("reading a script: %w", err)
	}
	return strings.TrimRight(string(text), "\n") + "\n", nil
}
