package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/country"
	"github.com/statsig-operator/statsig-operator/pkg/eval/useragent"
)

// Group is a document with its users, and answers of the official SDK.
type Group struct {
	Name                               string
	document, users, options, idLists  string
	expected, exposures, exposureUsers string
	unstable                           map[string]bool
	// environment is the SDK's, where the options don't say it.
	environment string
}

// Project is a group as it is evaluated.
type Project struct {
	Evaluator *eval.Evaluator
	// Users are nil where the text is no user.
	Users []*eval.User
	// Instants says for each user when it is evaluated.
	Instants []time.Time
}

// evaluatedAt is when recordings were made that don't say it.
var evaluatedAt = time.UnixMilli(1_795_187_451_405)

// header is the first line of recorded answers.
type header struct {
	EvaluatedAtMS int64               `json:"evaluated_at_ms"`
	Users         int                 `json:"users"`
	InstantsMS    []int64             `json:"instants_ms"`
	Lists         map[string][]string `json:"lists"`
}

// Groups lists the groups of a folder: synthetic documents under fuzz, and real ones where the folder has them.
func Groups(folder string) ([]Group, error) {
	unstable, err := readUnstable(filepath.Join(folder, "fuzz", "unstable.json"))
	if err != nil {
		return nil, err
	}
	var groups []Group
	names, files, err := glob(".dcs.json.gz", folder, "fuzz")
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		base := strings.TrimSuffix(files[i], ".dcs.json.gz")
		groups = append(groups, Group{
			Name: name, document: files[i], users: base + ".users.jsonl.gz", options: base + ".opts.json",
			expected: base + ".expected.jsonl.gz", exposures: base + ".exposures.jsonl.gz", unstable: unstable[name],
		})
	}
	others, err := realGroups(folder)
	return append(groups, others...), err
}

// realGroups lists the groups whose documents are not synthetic.
func realGroups(folder string) ([]Group, error) {
	groups := map[string]*Group{}
	var order []string
	for _, kind := range []string{"project/expected/*.expected", "exposures/*.exposures"} {
		_, ending, _ := strings.Cut(kind, "*")
		names, files, err := glob(ending+".jsonl.gz", folder, filepath.Dir(kind))
		if err != nil {
			return nil, err
		}
		for i, name := range names {
			g := groups[name]
			if g == nil {
				g = &Group{
					Name: name, document: filepath.Join(folder, "..", "data", name+".json"),
					users:   filepath.Join(folder, "project", "users.jsonl.gz"),
					idLists: filepath.Join(folder, "project", "id_lists.json.gz"),
				}
				groups[name], order = g, append(order, name)
			}
			if ending == ".expected" {
				g.expected = files[i]
			} else {
				g.exposures, g.exposureUsers = files[i], filepath.Join(folder, "exposures", "users.jsonl.gz")
			}
		}
	}
	list := make([]Group, len(order))
	for i, name := range order {
		list[i] = *groups[name]
	}
	return list, nil
}

// groupCases lists the cases of all groups.
func groupCases(folder string) ([]Case, error) {
	groups, err := Groups(folder)
	if err != nil {
		return nil, err
	}
	var cases []Case
	for _, g := range groups {
		if exists(g.expected) {
			cases = append(cases, Case{SuiteCalls, g.Name, g.compareCalls}, Case{SuiteResponseCells, g.Name, g.compareResponses})
		}
		if exists(g.exposures) {
			cases = append(cases, Case{SuiteExposures, g.Name, g.compareExposures})
		}
	}
	return cases, nil
}

// Project compiles the document of a group and reads its users.
func (g Group) Project() (*Project, error) {
	h, _, err := g.read()
	if err != nil {
		return nil, err
	}
	return g.project(h)
}

// read reads the recorded answers: the header, and the line of each entity.
func (g Group) read() (*header, [][]byte, error) {
	lines, err := readLines(g.expected)
	if err != nil {
		return nil, nil, err
	}
	if len(lines) == 0 {
		return nil, nil, fmt.Errorf("%s is empty", g.expected)
	}
	h := &header{}
	if err := json.Unmarshal(lines[0], h); err != nil {
		return nil, nil, fmt.Errorf("reading the header of %s: %w", g.expected, err)
	}
	return h, lines[1:], nil
}

func (g Group) project(h *header) (*Project, error) {
	var err error
	p := &Project{}
	if p.Evaluator, err = g.evaluator(); err != nil {
		return nil, err
	}
	for _, ms := range h.InstantsMS {
		p.Users = append(p.Users, eval.NewUser(eval.UserAttributes{UserID: "u"}))
		p.Instants = append(p.Instants, time.UnixMilli(ms))
	}
	if len(h.InstantsMS) > 0 {
		return p, nil
	}
	if p.Users, err = readUsers(g.users); err != nil {
		return nil, err
	}
	if len(p.Users) != h.Users {
		return nil, fmt.Errorf("%s has %d users, want %d", g.users, len(p.Users), h.Users)
	}
	for range p.Users {
		p.Instants = append(p.Instants, time.UnixMilli(h.EvaluatedAtMS))
	}
	return p, nil
}

// options are those of the recorded SDK.
type options struct {
	Options struct {
		Environment           string         `json:"environment"`
		GlobalCustomFields    map[string]any `json:"globalCustomFields"`
		UseThirdPartyUAParser bool           `json:"useThirdPartyUaParser"`
	} `json:"options"`
	IDLists idListFiles `json:"idLists"`
}

// idListFiles are ID lists as they are downloaded.
type idListFiles map[string]struct {
	Body string `json:"body"`
}

func (g Group) evaluator() (*eval.Evaluator, error) {
	var o options
	if err := readJSON(g.options, &o); err != nil && g.options != "" && !os.IsNotExist(err) {
		return nil, err
	}
	if g.idLists != "" && exists(g.idLists) {
		if err := readJSON(g.idLists, &o.IDLists); err != nil {
			return nil, err
		}
	}
	document, err := readFile(g.document)
	if err != nil {
		return nil, err
	}
	environment := g.environment
	if o.Options.Environment != "" {
		environment = o.Options.Environment
	}
	agents, err := userAgentParser(o.Options.UseThirdPartyUAParser)
	if err != nil {
		return nil, err
	}
	return newEvaluator(document, eval.Options{
		Environment: environment, GlobalCustomFields: o.Options.GlobalCustomFields,
		IDLists: newIDLists(o.IDLists), Country: country.New(), UserAgent: agents,
	})
}

func newEvaluator(document []byte, o eval.Options) (*eval.Evaluator, error) {
	d, err := eval.Decode(document)
	if err != nil {
		return nil, err
	}
	s, err := eval.Compile(d, eval.Origin{Source: "Network"})
	if err != nil {
		return nil, err
	}
	return eval.NewEvaluator(s, o), nil
}

func userAgentParser(thirdParty bool) (eval.UserAgentParser, error) {
	if thirdParty {
		return useragent.NewThirdParty()
	}
	return useragent.FirstParty{}, nil
}

func readUsers(file string) ([]*eval.User, error) {
	lines, err := readLines(file)
	if err != nil {
		return nil, err
	}
	users := make([]*eval.User, len(lines))
	for i, line := range lines {
		if u, err := eval.ParseUser(line); err == nil {
			users[i] = u
		}
	}
	return users, nil
}

// readUnstable reads the cells that the SDK doesn't repeat, as kind/entity/user/field by group.
func readUnstable(file string) (map[string]map[string]bool, error) {
	if !exists(file) {
		return nil, nil
	}
	var groups map[string][][4]any
	if err := readJSON(file, &groups); err != nil {
		return nil, err
	}
	unstable := map[string]map[string]bool{}
	for group, list := range groups {
		unstable[group] = map[string]bool{}
		for _, c := range list {
			fields, _ := c[3].([]any)
			for _, field := range fields {
				unstable[group][fmt.Sprintf("%v/%v/%v/%v", c[0], c[1], c[2], field)] = true
			}
		}
	}
	return unstable, nil
}

// idLists are the hashes of each ID list.
type idLists map[string]map[string]bool

// Contains implements [eval.IDLists].
func (l idLists) Contains(list, hash string) bool { return l[list][hash] }

func newIDLists(files idListFiles) idLists {
	lists := idLists{}
	for name, file := range files {
		list := map[string]bool{}
		for line := range strings.Lines(file.Body) {
			line = strings.TrimRight(line, "\r\n")
			if hash, ok := strings.CutPrefix(line, "+"); ok {
				list[hash] = true
			} else if hash, ok := strings.CutPrefix(line, "-"); ok {
				delete(list, hash)
			}
		}
		lists[name] = list
	}
	return lists
}
