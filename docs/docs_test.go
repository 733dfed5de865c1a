// Package docs_test keeps the documentation in step with the code: names that the code has must stand in the pages that are about
// them, examples must be objects of the API, and links must lead somewhere.
package docs_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"sigs.k8s.io/yaml"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/gate"
)

const (
	projectPage = "spec/statsigproject.md"
	bindingPage = "spec/flagbinding.md"
	gatePage    = "spec/rolloutgate.md"
)

func TestEveryFieldStandsInThePageOfItsKind(t *testing.T) {
	for page, types := range map[string][]reflect.Type{
		projectPage: {reflect.TypeFor[v1alpha1.StatsigProjectSpec](), reflect.TypeFor[v1alpha1.StatsigProjectStatus]()},
		bindingPage: {reflect.TypeFor[v1alpha1.FlagBindingSpec](), reflect.TypeFor[v1alpha1.FlagBindingStatus]()},
		gatePage:    {reflect.TypeFor[v1alpha1.RolloutGateSpec](), reflect.TypeFor[v1alpha1.RolloutGateStatus]()},
	} {
		fields := map[string]bool{}
		for _, part := range types {
			addFields(part, fields)
		}
		expectWords(t, page, fields)
	}
}

// addFields collects the JSON names of a type's fields and of those below it, as far as they are types of ours.
func addFields(of reflect.Type, names map[string]bool) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		addFields(of.Elem(), names)
	case reflect.Struct:
		if !strings.HasSuffix(of.PkgPath(), "/api/v1alpha1") {
			return
		}
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			names[name] = true
			addFields(field.Type, names)
		}
	default: // has no fields
	}
}

func TestEveryConditionAndReasonStandsInThePagesOfTheKinds(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../api/v1alpha1/conditions.go", nil, 0)
	if err != nil {
		t.Fatalf("reading the constants: %v", err)
	}
	values := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !isConditionOrReason(spec.Names[0].Name) {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatalf("reading %s: %v", spec.Names[0].Name, err)
		}
		values[value] = true
		return true
	})
	if len(values) < 30 {
		t.Fatalf("found %d constants, want at least 30", len(values))
	}
	all := words(read(t, projectPage)) + words(read(t, bindingPage)) + words(read(t, gatePage))
	for value := range values {
		if !strings.Contains(all, " "+value+" ") {
			t.Errorf("no page in docs/spec has `%s`", value)
		}
	}
}

func isConditionOrReason(name string) bool {
	return strings.HasPrefix(name, "Condition") || strings.HasPrefix(name, "Reason")
}

func TestEveryMetricAndFlagStandsInItsPage(t *testing.T) {
	for sources, tc := range map[string]struct {
		page    string
		pattern *regexp.Regexp
	}{
		"../controllers/*metrics*.go": {page: "metrics.md", pattern: regexp.MustCompile(`"(statsig_operator_\w+)"`)},
		"../cmd/manager/options.go":   {page: "manager.md", pattern: regexp.MustCompile(`flags\.\w+\(&o\.\w+, ("[a-z-]+")`)},
	} {
		files, err := filepath.Glob(sources)
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, file := range files {
			for _, match := range tc.pattern.FindAllStringSubmatch(read(t, file), -1) {
				name := strings.Trim(match[1], `"`)
				if tc.page == "manager.md" {
					name = "--" + name
				}
				names[name] = true
			}
		}
		if len(names) == 0 {
			t.Errorf("found nothing in %s", sources)
		}
		expectWords(t, tc.page, names)
	}
}

// expectWords reports names that a page does not have as code.
func expectWords(t *testing.T, page string, names map[string]bool) {
	t.Helper()
	have := words(read(t, page))
	for name := range names {
		if !strings.Contains(have, " "+name+" ") {
			t.Errorf("%s does not have `%s`", page, name)
		}
	}
}

var (
	codeSpan = regexp.MustCompile("`[^`\n]+`")
	codeWord = regexp.MustCompile(`[\w-]+`)
)

// words returns the words that stand between back-quotes, with blanks around each.
func words(page string) string {
	var all strings.Builder
	for _, span := range codeSpan.FindAllString(page, -1) {
		for _, word := range codeWord.FindAllString(span, -1) {
			all.WriteString(" " + word + " ")
		}
	}
	return all.String()
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

func TestExamplesAreObjectsOfTheAPI(t *testing.T) {
	found := 0
	for _, page := range pages(t) {
		for _, block := range yamlBlock.FindAllStringSubmatch(read(t, page), -1) {
			found += checkManifests(t, page, block[1])
		}
	}
	if found == 0 {
		t.Error("found no examples")
	}
}

func TestSamplesAreObjects(t *testing.T) {
	found := 0
	for _, dir := range []string{"../config/samples", "../config/admission"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".yaml" || filepath.Base(path) == "kustomization.yaml" {
				return err
			}
			found += checkManifests(t, path, read(t, path))
			for document := range strings.SplitSeq(read(t, path), "\n---\n") {
				var head struct {
					APIVersion, Kind string
					Metadata         struct{ Name string }
				}
				if err := yaml.Unmarshal([]byte(document), &head); err != nil || head.APIVersion == "" || head.Kind == "" || head.Metadata.Name == "" {
					t.Errorf("%s has something that is no object: %+v, %v", path, head, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if found == 0 {
		t.Error("found no objects of the API")
	}
}

// checkManifests reports documents that are no YAML, or say that they are of the API and are not. It returns how many are.
func checkManifests(t *testing.T, where, text string) int {
	t.Helper()
	kinds := map[string]func() any{
		"StatsigProject": func() any { return &v1alpha1.StatsigProject{} },
		"FlagBinding":    func() any { return &v1alpha1.FlagBinding{} },
		"RolloutGate":    func() any { return &v1alpha1.RolloutGate{} },
	}
	found := 0
	for document := range strings.SplitSeq(text, "\n---\n") {
		var head struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(document), &head); err != nil {
			t.Errorf("%s has something that is no YAML: %v\n%s", where, err, document)
		}
		if head.APIVersion != v1alpha1.GroupVersion.String() {
			continue
		}
		found++
		if kinds[head.Kind] == nil {
			t.Errorf("%s has kind %q", where, head.Kind)
			continue
		}
		object := kinds[head.Kind]()
		if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
			t.Errorf("%s has something that is no %s: %v", where, head.Kind, err)
		}
		if g, ok := object.(*v1alpha1.RolloutGate); ok {
			checkExpression(t, where, g.Spec.Open)
		}
	}
	return found
}

func checkExpression(t *testing.T, where, open string) {
	t.Helper()
	if _, err := gate.Compile(open); err != nil {
		t.Errorf("%s has the expression %s: %v", where, open, err)
	}
}

func TestExpressionsInTablesCompile(t *testing.T) {
	_, table, _ := strings.Cut(read(t, gatePage), "| Expression | Means |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := 0
	for row := range strings.SplitSeq(table, "\n") {
		rows++
		// Within a table a bar is escaped.
		checkExpression(t, gatePage, strings.ReplaceAll(strings.Trim(codeSpan.FindString(row), "`"), `\|`, "|"))
	}
	if rows < 2 {
		t.Errorf("found %d expressions", rows)
	}
}

var (
	codeBlock = regexp.MustCompile("(?s)```.*?```")
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#+ +(.+)$`)
)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		text := codeSpan.ReplaceAllString(codeBlock.ReplaceAllString(read(t, page), ""), "")
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			path, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page, match[1], err)
			} else if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s links to %s, but there is no such heading", page, match[1])
			}
		}
	}
}

// anchors returns what a page's headings can be linked by: lower case, dashes for blanks, other marks left out.
func anchors(page string) []string {
	var all []string
	for _, match := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(page, ""), -1) {
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, match[1]))
	}
	return all
}

// pages lists the Markdown files of the repository, from here.
func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != ".." && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			found = append(found, path)
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		t.Fatalf("found %d pages: %v", len(found), err)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
}
