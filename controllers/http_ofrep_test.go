package controllers

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"k8s.io/apimachinery/pkg/types"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// evaluating is the project shop/checkout with OFREP, over the ConfigMap with specs.
func evaluating(changes ...func(*v1alpha1.StatsigProject)) *v1alpha1.StatsigProject {
	b := newProject("checkout").Sources(mapSource).With(func(p *v1alpha1.StatsigProject) { p.Spec.OFREP = &v1alpha1.OFREPSpec{} })
	for _, change := range changes {
		b.With(change)
	}
	return b.Obj()
}

const flagsPath = "/projects/shop/checkout/ofrep/v1/evaluate/flags"

// evaluate posts a context on behalf of ann.
func (s *served) evaluate(path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{"context":{"targetingKey":"customer-17"}}`))
	r.Header.Set("Authorization", "Bearer "+annToken)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func TestProjectsAreEvaluatedAsTheyRun(t *testing.T) {
	silent := func(p *v1alpha1.StatsigProject) { p.Spec.OFREP.Exposures = v1alpha1.ExposureDisabled }
	for name, tc := range map[string]struct {
		project *v1alpha1.StatsigProject
		// wantExposures is whether Statsig hears of a single evaluation.
		wantExposures bool
	}{
		"With exposures":    {project: evaluating(), wantExposures: true},
		"Without exposures": {project: evaluating(silent)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRunning(t)
				s := newServed(t, r.Runtimes, 0, tc.project)
				if got := s.evaluate(flagsPath + "/on"); got.Code != http.StatusInternalServerError || !strings.Contains(got.Body.String(), "NOT_READY") {
					t.Errorf("before it runs: got %d %s", got.Code, got.Body)
				}
				running := r.ensured(t, tc.project, plainKey)
				got := s.evaluate(flagsPath + "/on")
				if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"value":true`) {
					t.Errorf("got %d %s", got.Code, got.Body)
				}
				if pending := running.logger.Stats().Pending; (pending == 1) != tc.wantExposures {
					t.Errorf("%d events are pending", pending)
				}
				if text := s.log.String(); strings.Contains(text, "customer-17") || !strings.Contains(text, `"caller":"ann"`) {
					t.Errorf("the log has something of a user's context:\n%s", text)
				}
			})
		})
	}
}

func TestWhatHasNotChangedIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		project := evaluating()
		r := newRunning(t)
		s := newServed(t, r.Runtimes, 0, project)
		r.ensured(t, project, plainKey)
		first := s.evaluate(flagsPath)
		tag := first.Header().Get("ETag")
		if first.Code != http.StatusOK || tag == "" {
			t.Fatalf("got %d with ETag %q: %s", first.Code, tag, first.Body)
		}
		if got := s.evaluate(flagsPath, "If-None-Match", tag); got.Code != http.StatusNotModified {
			t.Errorf("the same: got %d", got.Code)
		}
		// Another replica answers the same client.
		other := newRunning(t)
		elsewhere := newServed(t, other.Runtimes, 0, project)
		other.ensured(t, project, plainKey)
		if got := elsewhere.evaluate(flagsPath, "If-None-Match", tag); got.Code != http.StatusNotModified {
			t.Errorf("another replica: got %d", got.Code)
		}
		staging := evaluating(func(p *v1alpha1.StatsigProject) { p.Spec.Environment = "staging" })
		r.ensured(t, staging, plainKey)
		if got := s.evaluate(flagsPath, "If-None-Match", tag); got.Code != http.StatusOK || got.Header().Get("ETag") == tag {
			t.Errorf("other settings: got %d with ETag %q", got.Code, got.Header().Get("ETag"))
		}
	})
}

func TestRulesAreMadeReadyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunning(t)
		running := r.ensured(t, evaluating(), plainKey)
		first := running.served("test")
		if first == nil || running.served("test") != first {
			t.Error("rules that have not changed are made ready again")
		}
		r.Remove(types.NamespacedName{Namespace: "shop", Name: "checkout"})
		again := r.ensured(t, evaluating(), plainKey).served("test")
		if again == first || again.version != first.version {
			t.Errorf("the same rules elsewhere: want another value of the same version, got %q and %q", first.version, again.version)
		}
	})
}
