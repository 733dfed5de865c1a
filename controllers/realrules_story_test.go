package controllers

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// recordedUser is a user of the recorded answers whose attributes are all texts, so that they fit into annotations.
type recordedUser struct {
	UserID, Email, IP, UserAgent, Country, Locale, AppVersion string

	CustomIDs, Custom, PrivateAttributes map[string]string
}

// recordedEntity is what the official SDK answered for one entity.
type recordedEntity struct {
	Kind  string
	Name  string
	Idx   []int
	Table []struct{ Get recordedAnswer }
}

type recordedAnswer struct {
	Value  any
	RuleID string `json:"rule_id"`
}

// answer is the one for a user, by line number.
func (e *recordedEntity) answer(user int) (value any, rule string) {
	get := e.Table[e.Idx[user]].Get
	return get.Value, get.RuleID
}

// recorded is one real project with its answers.
type recorded struct {
	specs    []byte
	now      time.Time
	users    map[int]recordedUser // by line number
	lists    map[string]string
	entities []recordedEntity
}

// workloadsOfRealRules is how many users stand for workloads.
const workloadsOfRealRules = 5

func TestStoryRealRules(t *testing.T) {
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		t.Skip("CONFORMANCE_DIR does not name the recorded answers of Statsig's SDK")
	}
	t.Parallel()
	r := readRecorded(t, dir)
	if len(r.users) < workloadsOfRealRules {
		t.Fatalf("%d of the recorded users can be written as annotations, want %d", len(r.users), workloadsOfRealRules)
	}
	chosen := r.mostDifferent(workloadsOfRealRules)

	s := newStory(t, statsigtest.Options{Specs: r.specs})
	for name, text := range r.lists {
		s.statsig.SetIDListFile(name, text)
	}
	for _, line := range chosen {
		d := s.deployment(fmt.Sprintf("user-%d", line))
		d.Annotations = r.users[line].annotations()
		s.create(d)
	}
	binding, asked := r.binding(s, chosen)
	s.create(s.secretWithKey(), s.project(), binding)
	op := startOperator(t, operatorOptions{namespaces: []string{s.namespace}, now: func() time.Time { return r.now }})
	s.awaitConditions(binding, applied)
	s.settle(op)
	s.read(binding)

	for _, line := range chosen {
		configMap := s.configMap(fmt.Sprintf("flags-user-%d", line))
		s.read(configMap)
		want := expectedValues(asked, line)
		if diff := cmp.Diff(want, valuesIn(configMap.Data, want)); diff != "" {
			t.Errorf("user %d (-recorded +materialized):\n%s", line, diff)
		}
	}
	counts := map[string]int{}
	for i, a := range asked {
		if a.parameter == "" || !slices.ContainsFunc(asked[:i], func(b askedEntry) bool { return a.entity == b.entity }) {
			counts[a.entity.Kind]++
		}
		if diff := cmp.Diff(rulesOf(a.entity, chosen), rulesIn(binding.Status.Entries[i])); diff != "" {
			t.Errorf("%s %s: rules by number of users (-recorded +status):\n%s", a.entity.Kind, a.entity.Name, diff)
		}
	}
	if counts["gate"] < 40 || counts["config"] < 20 || counts["layer"] < 5 {
		t.Errorf("%d gates, %d configs and %d layers were asked for, want 40, 20 and 5", counts["gate"], counts["config"], counts["layer"])
	}
	t.Logf("%d gates, %d configs, %d layers for users %v", counts["gate"], counts["config"], counts["layer"], chosen)
	op.stop(t)
	r.checkExposures(s, chosen, counts["gate"])
}

// mostDifferent chooses users one by one, each time the one that adds the most answers nobody before had.
func (r *recorded) mostDifferent(n int) []int {
	type cell struct{ entity, row int }
	had := map[cell]bool{}
	var chosen []int
	for range n {
		best, most := -1, -1
		for _, user := range slices.Sorted(maps.Keys(r.users)) {
			added := 0
			for i := range r.entities {
				if r.entities[i].Kind != "meta" && !had[cell{i, r.entities[i].Idx[user]}] {
					added++
				}
			}
			if added > most && !slices.Contains(chosen, user) {
				best, most = user, added
			}
		}
		chosen = append(chosen, best)
		for i := range r.entities {
			if r.entities[i].Kind != "meta" {
				had[cell{i, r.entities[i].Idx[best]}] = true
			}
		}
	}
	return chosen
}

// checkExposures compares the exposures of gates with the recorded rules.
func (r *recorded) checkExposures(s *story, users []int, gates int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	lines := map[string]int{}
	for _, line := range users {
		lines[r.users[line].UserID] = line
	}
	entities := map[string]*recordedEntity{}
	for i := range r.entities {
		if r.entities[i].Kind == "gate" {
			entities[r.entities[i].Name] = &r.entities[i]
		}
	}
	_, err := s.statsig.WaitForEvents(ctx, gates*len(users))
	must(s.t, err)
	seen := 0
	for _, e := range s.statsig.Events() {
		gate := entities[e.Metadata["gate"]]
		if gate == nil {
			continue
		}
		seen++
		value, rule := gate.answer(lines[e.UserID])
		if e.Metadata["ruleID"] != rule || e.Metadata["gateValue"] != fmt.Sprint(value) {
			s.t.Errorf("exposure of gate %s to %s: rule %s, value %s; recorded rule %s, value %v",
				gate.Name, e.UserID, e.Metadata["ruleID"], e.Metadata["gateValue"], rule, value)
		}
	}
	if seen != gates*len(users) {
		s.t.Errorf("%d exposures of gates, want %d", seen, gates*len(users))
	}
}

// askedEntry is what stands behind an entry of the binding.
type askedEntry struct {
	name      string
	entity    *recordedEntity
	parameter string // of a layer
}

// binding asks for every gate, every config and every parameter of a layer that one of the users has.
func (r *recorded) binding(s *story, users []int) (*v1alpha1.FlagBinding, []askedEntry) {
	var asked []askedEntry
	b := s.binding("real", toConfigMap("flags-$(workload.name)"), func(b *v1alpha1.FlagBinding) {
		b.Spec.Subject.Unit = v1alpha1.UnitWorkload
		b.Spec.Subject.Workloads = []v1alpha1.WorkloadSelector{{APIVersion: "apps/v1", Kind: "Deployment", Selector: &metav1.LabelSelector{}}}
		b.Spec.Subject.User = r.template(users)
	})
	add := func(entity *recordedEntity, parameter string, entry v1alpha1.Entry) {
		entry.Name = fmt.Sprintf("%s-%d", entity.Kind, len(asked))
		asked = append(asked, askedEntry{entry.Name, entity, parameter})
		b.Spec.Entries = append(b.Spec.Entries, entry)
	}
	for i := range r.entities {
		entity := &r.entities[i]
		switch entity.Kind {
		case "gate":
			add(entity, "", v1alpha1.Entry{Gate: entity.Name})
		case "config":
			add(entity, "", v1alpha1.Entry{Experiment: entity.Name})
		case "layer":
			parameters := map[string]bool{}
			for _, user := range users {
				value, _ := entity.answer(user)
				for parameter := range value.(map[string]any) {
					parameters[parameter] = true
				}
			}
			for _, parameter := range slices.Sorted(maps.Keys(parameters)) {
				add(entity, parameter, v1alpha1.Entry{Layer: entity.Name, Parameter: parameter})
			}
		}
	}
	return b, asked
}

// expectedValues are the recorded values of a user, by entry.
func expectedValues(asked []askedEntry, user int) map[string]any {
	values := map[string]any{}
	for _, a := range asked {
		value, _ := a.entity.answer(user)
		switch {
		case a.parameter != "":
			if parameter, found := value.(map[string]any)[a.parameter]; found {
				values[a.name] = parameter
			}
		case value == nil:
			values[a.name] = map[string]any{}
		default:
			values[a.name] = value
		}
	}
	return values
}

// valuesIn reads the values back out of a ConfigMap, where strings stand without quotes.
func valuesIn(data map[string]string, want map[string]any) map[string]any {
	values := map[string]any{}
	for name, text := range data {
		var value any
		if _, isText := want[name].(string); isText || json.Unmarshal([]byte(text), &value) != nil {
			value = text
		}
		values[name] = value
	}
	return values
}

func rulesOf(entity *recordedEntity, users []int) map[string]int32 {
	rules := map[string]int32{}
	for _, user := range users {
		_, rule := entity.answer(user)
		rules[rule]++
	}
	return rules
}

func rulesIn(entry v1alpha1.EntryStatus) map[string]int32 {
	rules := map[string]int32{entry.RuleID: entry.Units}
	for _, other := range entry.Others {
		rules[other.RuleID] += other.Units
	}
	return rules
}

// Users as annotations.

const attributePrefix = "user.example.com/"

// annotations are a user's attributes, each as one annotation.
func (u recordedUser) annotations() map[string]string {
	annotations := map[string]string{}
	for name, value := range map[string]string{
		"userID": u.UserID, "email": u.Email, "ip": u.IP, "userAgent": u.UserAgent, "country": u.Country, "locale": u.Locale,
		"appVersion": u.AppVersion,
	} {
		if value != "" {
			annotations[attributePrefix+name] = value
		}
	}
	for group, values := range map[string]map[string]string{"id": u.CustomIDs, "custom": u.Custom, "private": u.PrivateAttributes} {
		for name, value := range values {
			annotations[attributePrefix+group+"."+name] = value
		}
	}
	return annotations
}

// template rebuilds any of these users from the annotations of its workload. What a user does not have is left out.
func (r *recorded) template(users []int) *v1alpha1.UserTemplate {
	attribute := func(name string) v1alpha1.Expression {
		return v1alpha1.Expression(fmt.Sprintf("workload.metadata.annotations[?'%s%s']", attributePrefix, name))
	}
	of := func(group string, values func(recordedUser) map[string]string) map[string]v1alpha1.Expression {
		expressions := map[string]v1alpha1.Expression{}
		for _, user := range users {
			for name := range values(r.users[user]) {
				expressions[name] = attribute(group + "." + name)
			}
		}
		return expressions
	}
	return &v1alpha1.UserTemplate{
		UserID: attribute("userID"), Email: attribute("email"), IP: attribute("ip"), UserAgent: attribute("userAgent"),
		Country: attribute("country"), Locale: attribute("locale"), AppVersion: attribute("appVersion"),
		CustomIDs:         of("id", func(u recordedUser) map[string]string { return u.CustomIDs }),
		Custom:            of("custom", func(u recordedUser) map[string]string { return u.Custom }),
		PrivateAttributes: of("private", func(u recordedUser) map[string]string { return u.PrivateAttributes }),
	}
}

// isExpressible reports whether nothing of a user is lost in annotations. Users without an ID are left out: a workload has one.
func (u recordedUser) isExpressible() bool {
	if u.UserID == "" || u.Email == "" || len(u.CustomIDs) == 0 || len(u.Custom) == 0 {
		return false
	}
	for name := range u.annotations() {
		if len(validation.IsQualifiedName(strings.ToLower(name))) > 0 {
			return false
		}
	}
	return true
}

// Files.

func readRecorded(t *testing.T, dir string) *recorded {
	t.Helper()
	r := &recorded{users: map[int]recordedUser{}, lists: map[string]string{}}
	specs, err := os.ReadFile(filepath.Join(dir, "..", "data", "eval_proj_dcs.json"))
	must(t, err)
	r.specs = specs
	var lists map[string]struct{ Body string }
	must(t, json.Unmarshal(unzipped(t, dir, "project", "id_lists.json.gz"), &lists))
	for name, list := range lists {
		r.lists[name] = list.Body
	}
	for i, line := range lines(unzipped(t, dir, "project", "users.jsonl.gz")) {
		var user recordedUser
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields() // an environment of its own, for one
		if decoder.Decode(&user) == nil && user.isExpressible() && !bytes.Contains(line, []byte(`:""`)) {
			r.users[i] = user
		}
	}
	for i, line := range lines(unzipped(t, dir, "project", "expected", "eval_proj_dcs.expected.jsonl.gz")) {
		if i == 0 {
			var header struct {
				EvaluatedAt int64 `json:"evaluated_at_ms"`
			}
			must(t, json.Unmarshal(line, &header))
			r.now = time.UnixMilli(header.EvaluatedAt)
			continue
		}
		var entity recordedEntity
		must(t, json.Unmarshal(line, &entity))
		r.entities = append(r.entities, entity)
	}
	return r
}

func unzipped(t *testing.T, path ...string) []byte {
	t.Helper()
	file, err := os.Open(filepath.Join(path...))
	must(t, err)
	defer file.Close()
	unzip, err := gzip.NewReader(file)
	must(t, err)
	text, err := io.ReadAll(unzip)
	must(t, err)
	return text
}

func lines(text []byte) [][]byte {
	var all [][]byte
	scanner := bufio.NewScanner(bytes.NewReader(text))
	scanner.Buffer(nil, len(text)+1)
	for scanner.Scan() {
		all = append(all, bytes.Clone(scanner.Bytes()))
	}
	return all
}
