package controllers

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// echo is a Statsig server that does everything wrong, each project in its own way, and repeats the SDK key while it does so. The
// way is the first part of the path.
type echo struct {
	key string
	// specs are the documents of the ways that have one of their own; the others get the one of "".
	specs map[string][]byte

	mu sync.Mutex
	// served counts requests for specs by way.
	served map[string]int
	// sawKey is set once a request has carried the key.
	sawKey bool
}

// ways are how projects go wrong, and what their status has to say once they did.
var ways = map[string]is{
	"fails":        isFor(v1alpha1.ConditionSpecsFresh, v1alpha1.ReasonFetchFailed, "500"),
	"refuses":      isFor(v1alpha1.ConditionCredentialsValid, v1alpha1.ReasonUnauthorized, "refuses"),
	"babbles":      isFor(v1alpha1.ConditionSpecsFresh, v1alpha1.ReasonMalformed, ""),
	"misshapes":    isFor(v1alpha1.ConditionSpecsFresh, v1alpha1.ReasonMalformed, ""),
	"redirects":    isFor(v1alpha1.ConditionSpecsFresh, v1alpha1.ReasonFetchFailed, ""),
	"hangs-up":     isFor(v1alpha1.ConditionSpecsFresh, v1alpha1.ReasonFetchFailed, ""),
	"dawdles":      isFor(v1alpha1.ConditionSpecsFresh, v1alpha1.ReasonFetchFailed, ""),
	"confuses":     isFor(v1alpha1.ConditionSpecsFresh, v1alpha1.ReasonWrongProject, ""),
	"breaks-off":   isFor(v1alpha1.ConditionSpecsFresh, v1alpha1.ReasonStale, "stay in use"),
	"spoils":       {v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSynced, ""},
	"mislists":     {v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSynced, ""},
	"drops":        isFor(v1alpha1.ConditionEventsFlowing, v1alpha1.ReasonDeliveryFailed, "500"),
	"turns-away":   isFor(v1alpha1.ConditionEventsFlowing, v1alpha1.ReasonUnauthorized, "refuses"),
	"is-not-there": isFor(v1alpha1.ConditionSpecsFresh, v1alpha1.ReasonFetchFailed, ""),
}

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	way, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	e.mu.Lock()
	e.sawKey = e.sawKey || strings.Contains(r.URL.Path, e.key) && r.Header.Get("statsig-api-key") == e.key
	first := true
	if strings.HasPrefix(rest, "download_config_specs") {
		first = e.served[way] == 0
		e.served[way]++
	}
	e.mu.Unlock()
	w.Header().Set("X-Echo", url.QueryEscape(e.key))
	switch {
	case strings.HasPrefix(rest, "log_event"):
		e.takeEvents(w, way)
	case strings.HasPrefix(rest, "get_id_lists"):
		e.offerLists(w, r, way)
	default:
		e.offerSpecs(w, r, way, first)
	}
}

func (e *echo) takeEvents(w http.ResponseWriter, way string) {
	switch way {
	case "drops":
		http.Error(w, "cannot take events with key "+e.key, http.StatusInternalServerError)
	case "turns-away":
		http.Error(w, "unknown key "+e.key, http.StatusUnauthorized)
	default:
		fmt.Fprint(w, `{"success":true}`)
	}
}

func (e *echo) offerLists(w http.ResponseWriter, r *http.Request, way string) {
	list := func(address string) map[string]any {
		return map[string]any{"name": e.key, "size": 9, "url": address, "creationTime": 1, "fileID": e.key}
	}
	switch {
	case way != "mislists":
		fmt.Fprint(w, `{}`)
	case r.Method == http.MethodGet:
		http.Error(w, "no file for "+e.key, http.StatusNotFound)
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{
			e.key:  list("http://" + r.Host + "/mislists/get_id_lists/" + url.PathEscape(e.key)),
			"gone": list("http://127.0.0.1:1/" + url.PathEscape(e.key)),
		})
	}
}

func (e *echo) offerSpecs(w http.ResponseWriter, r *http.Request, way string, first bool) {
	switch way {
	case "fails":
		http.Error(w, "no project for key "+e.key+" at "+r.URL.String(), http.StatusInternalServerError)
	case "refuses":
		http.Error(w, "invalid key "+e.key, http.StatusForbidden)
	case "babbles":
		fmt.Fprintf(w, "<p>%s is not known here</p>", e.key)
	case "misshapes":
		_ = json.NewEncoder(w).Encode(map[string]any{"has_updates": true, "time": e.key, "feature_gates": e.key, e.key: 1})
	case "redirects":
		http.Redirect(w, r, "/redirects/"+url.PathEscape(e.key)+"/"+url.QueryEscape(e.key), http.StatusFound)
	case "hangs-up":
		panic(http.ErrAbortHandler)
	case "dawdles":
		<-r.Context().Done()
	case "breaks-off":
		if !first {
			http.Error(w, "gone: "+e.key, http.StatusBadGateway)
			return
		}
		_, _ = w.Write(e.specs[""])
	default:
		document, own := e.specs[way]
		if !own {
			document = e.specs[""]
		}
		_, _ = w.Write(document)
	}
}

// newEcho returns a server for projects with a key.
func newEcho(t *testing.T, key string) *echo {
	t.Helper()
	return &echo{key: key, served: map[string]int{}, specs: map[string][]byte{
		"":         simpleSpecs().JSON(t),
		"confuses": simpleSpecs().With("hashed_sdk_key_used", key).JSON(t),
		"spoils":   simpleSpecs().With("feature_gates", map[string]any{key: key, "on": map[string]any{"rules": key}}).JSON(t),
	}}
}

// TestStorySecrets drives every way of going wrong with SDK keys of several shapes, and looks for them everywhere.
func TestStorySecrets(t *testing.T) {
	tests := map[string]string{
		"A key like Statsig's":                "secret-Story9Of8Keys7That6Must5Not4Show",
		"A key of another shape":              "hunter2hunter2",
		"A key that URLs and JSON escape":     `key/of?all&"sorts"+%41<#>`,
		"A key in which others are contained": "secret-Story9Of8Keys7That6Must5Not4Show-and-more",
	}
	for name, key := range tests {
		t.Run(name+" shows nowhere", func(t *testing.T) {
			t.Parallel()
			server := newEcho(t, key)
			host := httptest.NewServer(server)
			t.Cleanup(host.Close)
			s := &story{t: t, c: plane.client(t)}
			s.namespace = s.newNamespace()
			seen := watchEverything(s)
			secret := s.secretWithKey()
			secret.Data["sdkKey"] = []byte(key + "\n")
			foreign := s.configMap("foreign")
			foreign.Data = map[string]string{"theirs": "yes"}
			s.create(foreign, secret)
			op := s.operator()
			for way := range ways {
				s.create(s.projectAt(way, host.URL+"/"+way), s.bindingTo(way))
			}
			for way, want := range ways {
				project := &v1alpha1.StatsigProject{ObjectMeta: s.meta(way)}
				s.awaitConditions(project, want)
				if way == "spoils" && (project.Status.Specs == nil || project.Status.Specs.Skipped != 2) {
					t.Errorf("the project with two malformed specs has the status %+v", project.Status.Specs)
				}
			}
			eventually(t, "the end of the events", func(context.Context) string {
				for way := range ways {
					if op.activity.completed("flagbinding", s.namespace, way) == 0 {
						return "no reconcile of " + way
					}
				}
				return ""
			})
			// The key leaves the Secret too, which is an error path of its own.
			s.delete(secret)
			op.stop(t)
			server.mu.Lock()
			if !server.sawKey {
				t.Error("no request carried the key, so nothing is proved")
			}
			server.mu.Unlock()
			s.lookFor(key, op, seen())
		})
	}
	t.Run("A key that cannot be sent shows nowhere", func(t *testing.T) {
		t.Parallel()
		const key = "half a key\x01and the rest of it"
		s := &story{t: t, c: plane.client(t)}
		s.namespace = s.newNamespace()
		seen := watchEverything(s)
		secret := s.secretWithKey()
		secret.Data["sdkKey"] = []byte(key)
		op := s.operator()
		project := s.projectAt("project", "http://127.0.0.1:1")
		s.create(secret, project, s.bindingTo("project"))
		s.awaitConditions(project, isFor(v1alpha1.ConditionReady, v1alpha1.ReasonInvalid, "SDK key"))
		s.settle(op)
		op.stop(t)
		s.lookFor(key, op, seen())
	})
}

// projectAt is a project that goes wrong at an address.
func (s *story) projectAt(name, address string) *v1alpha1.StatsigProject {
	second := &metav1.Duration{Duration: time.Second}
	if name == "is-not-there" {
		address = "http://127.0.0.1:1/is-not-there"
	}
	return &v1alpha1.StatsigProject{ObjectMeta: s.meta(name), Spec: v1alpha1.StatsigProjectSpec{
		SDKKeySecretRef: &v1alpha1.SecretKeyRef{Name: "statsig", Key: "sdkKey"},
		Specs: &v1alpha1.SpecsSpec{
			Sources: []v1alpha1.SpecsSource{{Type: v1alpha1.SourceHTTP, URL: address}}, Interval: second, Timeout: second,
		},
		IDLists:   &v1alpha1.IDListsSpec{Interval: second},
		Staleness: &v1alpha1.StalenessSpec{WarnAfter: second, FailAfter: &metav1.Duration{Duration: 2 * time.Second}},
		Events:    &v1alpha1.EventsSpec{FlushInterval: second},
	}}
}

// bindingTo is a binding to one of the projects, with a target that it gets and one that is somebody else's.
func (s *story) bindingTo(project string) *v1alpha1.FlagBinding {
	b := s.binding(project, asksGate("on", "on"), asks(v1alpha1.Entry{Name: "none", Gate: "none"}), toConfigMap("flags-"+project),
		toTarget(v1alpha1.Target{Name: "foreign", ConfigMap: &v1alpha1.ConfigMapTarget{Name: "foreign"}}))
	if project == "drops" || project == "turns-away" {
		b.Spec.Targets = b.Spec.Targets[:1] // exposures need values that arrived
	}
	b.Spec.ProjectRef.Name = project
	return b
}

// watchEverything collects every version of every object that an operator may write in the story's namespace.
func watchEverything(s *story) func() string {
	s.t.Helper()
	var mu sync.Mutex
	var all strings.Builder
	var ended sync.WaitGroup
	var stops []func()
	for _, list := range []client.ObjectList{
		&v1alpha1.StatsigProjectList{}, &v1alpha1.FlagBindingList{}, &v1alpha1.RolloutGateList{}, &corev1.ConfigMapList{}, &eventsv1.EventList{},
	} {
		watched, err := s.c.Watch(s.t.Context(), list, client.InNamespace(s.namespace))
		must(s.t, err)
		stops = append(stops, watched.Stop)
		ended.Go(func() {
			for event := range watched.ResultChan() {
				text, err := json.Marshal(event.Object)
				mu.Lock()
				fmt.Fprintln(&all, string(text), err)
				mu.Unlock()
			}
		})
	}
	return func() string {
		for _, stop := range stops {
			stop()
		}
		ended.Wait()
		return all.String()
	}
}

// lookFor searches everything that people can read for a key, in any form it may have taken.
func (s *story) lookFor(key string, op *operator, objects string) {
	s.t.Helper()
	families, err := metrics.Registry.Gather()
	must(s.t, err)
	var measured strings.Builder
	for _, family := range families {
		_, err := expfmt.MetricFamilyToText(&measured, family)
		must(s.t, err)
	}
	escaped, err := json.Marshal(key)
	must(s.t, err)
	forms := []string{
		key, url.PathEscape(key), url.QueryEscape(key), (&url.URL{Path: key}).EscapedPath(), strings.Trim(string(escaped), `"`),
		strings.Trim(fmt.Sprintf("%q", key), `"`), base64.StdEncoding.EncodeToString([]byte(key)),
	}
	places := map[string]string{
		"log": op.log.String(), "log of the process": processLog.String(), "objects": objects, "metrics": measured.String(),
	}
	for place, text := range places {
		if place != "log of the process" && len(text) < 1000 {
			s.t.Errorf("the %s are next to nothing: %q", place, text)
		}
		for _, form := range forms {
			if i := strings.Index(text, form); i >= 0 {
				s.t.Errorf("the key shows in the %s: …%s…", place, text[max(0, i-200):min(len(text), i+len(form)+100)])
				break
			}
		}
	}
	// What was searched is what there is to search.
	for want, text := range map[string]string{
		`controller_runtime_reconcile_total{controller="statsigproject"`: measured.String(),
		`"reportingController":"` + eventSource + `"`:                    objects,
	} {
		if !strings.Contains(text, want) {
			s.t.Errorf("%s was not to be seen", want)
		}
	}
}
