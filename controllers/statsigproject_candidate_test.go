package controllers

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

func TestConditionsOfAProjectSpeakOfWhatIsTried(t *testing.T) {
	good := goodSpecs(t)
	for name, tc := range map[string]struct {
		tried poll
		want  map[string]string
		says  string
	}{
		"The new key is refused": {
			tried: failing(&specsync.StatusError{Code: 403}),
			want: unready("False Unauthorized", "Stalled", map[string]string{
				"CredentialsValid": "False Unauthorized", "SpecsFresh": "False FetchFailed",
			}),
			says: "What served before goes on until that is mended.",
		},
		"The new source is down": {
			tried: failing(errors.New("no route to it")),
			want: unready("False FetchFailed", "Reconciling", map[string]string{
				"CredentialsValid": "Unknown Pending", "SpecsFresh": "False FetchFailed",
			}),
			says: "What served before goes on until that is mended.",
		},
		"The new source has other people's specs": {
			tried: document(string(evaltest.NewDocument(evaltest.NewGate("on")).With("hashed_sdk_key_used", "12345").JSON(t))),
			want: unready("False WrongProject", "Reconciling", map[string]string{
				"CredentialsValid": "Unknown Pending", "SpecsFresh": "False WrongProject",
			}),
			says: "What served before goes on until that is mended.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &projectScope{project: newProject("checkout").Obj()}
				s.running = startRuntime(t, []poll{good}, nil)
				s.candidate = startRuntime(t, []poll{tc.tried}, nil)
				s.now = time.Now()
				computeProjectStatus(s, scrubNothing)
				conditions := s.project.Status.Conditions
				checkKstatus(t, conditions, s.project.Generation)
				want := map[string]string{"EventsFlowing": "True Disabled"}
				maps.Copy(want, tc.want)
				if diff := cmp.Diff(want, summarize(conditions)); diff != "" {
					t.Errorf("conditions (-want +got):\n%s", diff)
				}
				if got := messageOf(conditions, "SpecsFresh"); !strings.Contains(got, tc.says) {
					t.Errorf("message of SpecsFresh: want %q in it, got %q", tc.says, got)
				}
				if s.project.Status.Specs == nil || s.project.Status.Specs.Gates != 1 {
					t.Errorf("status.specs: want those that serve, got %+v", s.project.Status.Specs)
				}
			})
		})
	}
}

func TestATransportServesAsLongAsItsSpecStays(t *testing.T) {
	through := func(proxy string) func(*v1alpha1.StatsigProject) {
		return func(p *v1alpha1.StatsigProject) { p.Spec.Transport = &v1alpha1.TransportSpec{ProxyURL: proxy} }
	}
	staging := func(p *v1alpha1.StatsigProject) { p.Spec.Environment = "staging" }
	for name, tc := range map[string]struct {
		next     *projectBuilder
		wantSame bool
	}{
		"Another environment":     {newProject("a").Sources(mapSource).With(through("http://proxy:3128")).With(staging), true},
		"Another proxy":           {newProject("a").Sources(mapSource).With(through("http://another:3128")), false},
		"No transport of its own": {newProject("a").Sources(mapSource), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRunning(t)
				first := r.ensured(t, newProject("a").Sources(mapSource).With(through("http://proxy:3128")).Obj(), plainKey)
				next := r.ensured(t, tc.next.Obj(), plainKey)
				if next == first || (next.transport == first.transport) != tc.wantSame {
					t.Errorf("same transport: want %v, got %v", tc.wantSame, next.transport == first.transport)
				}
			})
		})
	}
}
