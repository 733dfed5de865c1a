package controllers

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// maxEventNote is the API server's bound for the note of a Kubernetes Event.
const maxEventNote = 1024

// kubernetesEvents queues the Kubernetes Events of one reconcile. They go out only after the status write, so that an event never
// announces a state that nobody can read. An event's reason is the reason of the condition that it speaks of.
type kubernetesEvents struct {
	queued []queuedEvent
}

type queuedEvent struct{ kind, reason, action, note string }

func (q *kubernetesEvents) normal(reason, action, note string) {
	q.queued = append(q.queued, queuedEvent{corev1.EventTypeNormal, reason, action, note})
}

func (q *kubernetesEvents) warning(reason, action, note string) {
	q.queued = append(q.queued, queuedEvent{corev1.EventTypeWarning, reason, action, note})
}

func (q *kubernetesEvents) send(recorder events.EventRecorder, object runtime.Object, scrub func(string) string) {
	for _, e := range q.queued {
		recorder.Eventf(object, nil, e.kind, e.reason, e.action, "%s", truncate(scrub(e.note), maxEventNote))
	}
	q.queued = nil
}
