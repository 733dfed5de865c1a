package controllers

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// podReleases bounds how many pods each gate releases at once, however often it is looked at. It is safe for concurrent use.
type podReleases struct {
	mu    sync.Mutex
	gates map[types.NamespacedName]*podRelease
}

type podRelease struct {
	// began is when the present batch began.
	began time.Time
	// size is the number of pods that the present batch has come to.
	size int
	// released are pods that the cache may still show waiting. A scheduling gate never comes back, so they are done with.
	released map[types.UID]bool
}

// next takes pods into a gate's present batch, of which another begins nextBatch after the last, and returns how many it has no room
// for. Pods that were released already are in neither.
func (r *podReleases) next(
	gate types.NamespacedName, pods []*corev1.Pod, size int, now time.Time,
) (batch []*corev1.Pod, left int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	release := r.gates[gate]
	over := release == nil || now.Sub(release.began) >= nextBatch
	if len(pods) == 0 && over {
		delete(r.gates, gate)
		return nil, 0
	}
	if release == nil {
		release = &podRelease{}
		if r.gates == nil {
			r.gates = map[types.NamespacedName]*podRelease{}
		}
		r.gates[gate] = release
	}
	shown := map[types.UID]bool{}
	var waiting []*corev1.Pod
	for _, pod := range pods {
		if release.released[pod.UID] {
			shown[pod.UID] = true
			continue
		}
		waiting = append(waiting, pod)
	}
	release.released = shown
	if over {
		release.began, release.size = now, 0
	}
	room := min(max(size-release.size, 0), len(waiting))
	release.size += room
	return waiting[:room], len(waiting) - room
}

// note remembers that a pod of a gate's present batch was released.
func (r *podReleases) note(gate types.NamespacedName, pod types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gates[gate].released[pod] = true
}

func (r *podReleases) forget(gate types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.gates, gate)
}
