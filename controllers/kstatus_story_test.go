package controllers

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

// watchStatuses checks every status that is ever written in a namespace, those between as well as the last.
func watchStatuses(t *testing.T, c client.WithWatch, namespace string) {
	t.Helper()
	for _, list := range []client.ObjectList{&v1alpha1.StatsigProjectList{}, &v1alpha1.FlagBindingList{}, &v1alpha1.RolloutGateList{}} {
		watched, err := c.Watch(t.Context(), list, client.InNamespace(namespace))
		if err != nil {
			t.Fatalf("watching statuses: %v", err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for event := range watched.ResultChan() {
				checkStatus(t, event)
			}
		}()
		t.Cleanup(func() {
			watched.Stop()
			<-ended
		})
	}
}

func checkStatus(t *testing.T, event watch.Event) {
	t.Helper()
	o, ok := event.Object.(conditioned)
	if !ok || event.Type == watch.Deleted || len(o.GetConditions()) == 0 {
		return
	}
	checkKstatus(aboutObject{t, o}, o.GetConditions(), observedGeneration(o))
}

// aboutObject names an object in what is wrong with it.
type aboutObject struct {
	testing.TB
	o client.Object
}

func (a aboutObject) Errorf(format string, args ...any) {
	a.Helper()
	a.TB.Errorf("%T %s: %s", a.o, a.o.GetName(), fmt.Sprintf(format, args...))
}
