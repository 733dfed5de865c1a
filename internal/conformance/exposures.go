package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/events"
)

// exposureLine is what the SDK logged for one user, or the header.
type exposureLine struct {
	U      *int             `json:"u"`
	Events []map[string]any `json:"events"`
}

// exposureEnvironment is that of the exposures of real documents.
const exposureEnvironment = "development"

// exposedSections are the kinds in the order in which they were asked for.
var exposedSections = []eval.Kind{eval.KindGate, eval.KindExperiment, eval.KindLayer}

// Inputs are what exposures were recorded with; what is empty wasn't set.
type Inputs struct {
	// Files: the options hold ID lists, too, where there is no file of them.
	Document, Users, IDLists, Options string
	Environment                       string
}

// ExposureInputs are the files that the exposures of a group were recorded with; ok is false for a group without any.
func (g Group) ExposureInputs() (in Inputs, ok bool) {
	in = Inputs{Document: g.document, Users: g.users, IDLists: g.idLists, Options: g.options}
	if g.exposureUsers != "" {
		in.Users, in.Environment = g.exposureUsers, exposureEnvironment
	}
	return in, exists(g.exposures)
}

// CompareExposures compares exposures that come from elsewhere, by user, with the recorded ones of a group.
func (g Group) CompareExposures(logged [][]map[string]any, o Options) (Outcome, error) {
	return Case{SuiteExposures, g.Name, func(s *sheet) error {
		return s.exposures(g.exposures, func(user int) ([]map[string]any, error) {
			if user >= len(logged) {
				return nil, fmt.Errorf("there is no user %d", user)
			}
			return logged[user], nil
		})
	}}.Run(o)
}

func (g Group) compareExposures(s *sheet) error {
	in, _ := g.ExposureInputs()
	users, err := readUsers(in.Users)
	if err != nil {
		return err
	}
	g.environment = in.Environment
	evaluator, err := g.evaluator()
	if err != nil {
		return err
	}
	x := exposer{evaluator: evaluator, now: evaluatedAt}
	return s.exposures(g.exposures, func(user int) ([]map[string]any, error) {
		if user >= len(users) || users[user] == nil {
			return nil, fmt.Errorf("there is no user %d", user)
		}
		return x.expose(users[user])
	})
}

// exposures compares the exposures of each user with the lines of a file.
func (s *sheet) exposures(file string, logged func(user int) ([]map[string]any, error)) error {
	return readObjects(file, func(_ int, line *exposureLine) error {
		if line.U == nil || *line.U%s.stride != 0 {
			return nil // the header, or a user that is left out
		}
		got, err := logged(*line.U)
		if err != nil {
			return err
		}
		s.events(*line.U, got, line.Events)
		return nil
	})
}

// exposer asks for everything in a document in the order of the recordings, and exposes it.
type exposer struct {
	evaluator *eval.Evaluator
	now       time.Time
	recorder  eval.Recorder
	text      []byte
}

func (x *exposer) expose(user *eval.User) ([]map[string]any, error) {
	var all []map[string]any
	loggable := x.evaluator.LoggableUser(nil, user)
	for _, kind := range exposedSections {
		for _, ref := range x.evaluator.Snapshot().Refs() {
			if ref.Kind != kind {
				continue
			}
			e := events.Exposure{Result: x.evaluator.Evaluate(ref, user, x.now, &x.recorder), User: loggable}
			parameters := []string{""}
			if kind == eval.KindLayer {
				parameters = sortedMembers(e.Result.Value)
			}
			for _, e.Parameter = range parameters {
				event, err := x.event(e)
				if err != nil {
					return nil, err
				}
				if event != nil {
					all = append(all, event)
				}
			}
		}
	}
	return all, nil
}

// event is an exposure as it would be sent, nil where it is none.
func (x *exposer) event(e events.Exposure) (map[string]any, error) {
	x.text = events.AppendExposure(x.text[:0], e)
	return decodeEvent(x.text)
}

func decodeEvent(text []byte) (event map[string]any, err error) {
	if len(text) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(text, &event); err != nil {
		return nil, fmt.Errorf("event %.200s: %w", text, err)
	}
	return event, nil
}

// sortedMembers are the names in a JSON object.
func sortedMembers(object string) []string {
	var members map[string]json.RawMessage
	_ = json.Unmarshal([]byte(object), &members) // what is no object has no members
	return slices.Sorted(maps.Keys(members))
}

// eventKey tells what was exposed.
func eventKey(e map[string]any) string {
	m, _ := e["metadata"].(map[string]any)
	return show([]any{e["eventName"], m["gate"], m["config"], m["parameterName"]})
}

// events compares a user's events. Two lists with the same events are compared in their order, others by what is
// exposed.
func (s *sheet) events(user int, got, want []map[string]any) {
	at := cell{kind: "events", user: user}
	gotKeys, wantKeys := keysOf(got), keysOf(want)
	byKey := map[string]map[string]any{}
	for i, key := range gotKeys {
		byKey[key] = got[i]
	}
	for i, key := range wantKeys {
		at.entity = key
		s.event(at, byKey[key], want[i])
		delete(byKey, key)
	}
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		at.entity, at.field = key, "logged"
		s.compare(at, false, "logged", "not logged")
	}
	if len(gotKeys) == len(wantKeys) {
		at.entity, at.field = "", "order"
		s.compare(at, slices.Equal(gotKeys, wantKeys), gotKeys, wantKeys)
	}
}

func keysOf(list []map[string]any) []string {
	keys := make([]string, len(list))
	for i, e := range list {
		keys[i] = eventKey(e)
	}
	return keys
}

// event compares one event, member by member. Times differ from run to run, and most recordings leave out the user to
// save space.
func (s *sheet) event(at cell, got, want map[string]any) {
	s.outcome.Cases++
	if got == nil {
		at.field = "logged"
		s.compare(at, false, "not logged", "logged")
		return
	}
	got, want = flattened(got), flattened(want)
	for _, name := range []string{"time", "metadata.receivedAt"} {
		delete(got, name)
		delete(want, name)
	}
	if want["user"] == nil {
		delete(got, "user")
	}
	for at.field = range bothKeys(got, want) {
		a, inGot := got[at.field]
		b, inWant := want[at.field]
		s.compare(at, inGot == inWant && reflect.DeepEqual(a, b), a, b)
	}
}

// flattened puts the members of an event's metadata beside its own.
func flattened(event map[string]any) map[string]any {
	flat := map[string]any{}
	for name, value := range event {
		metadata, ok := value.(map[string]any)
		if name != "metadata" || !ok {
			flat[name] = value
			continue
		}
		for field, value := range metadata {
			flat["metadata."+field] = value
		}
	}
	return flat
}
