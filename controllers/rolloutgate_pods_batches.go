package controllers

import (
	"slices"
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
	// refused are pods that could not be released. They are tried again once all others were released, so that they hold up none.
	refused map[types.UID]podRefusal
}

// podRefusal is why a pod could not be released, and when that was tried last.
type podRefusal struct {
	err error
	at  time.Time
}

// next takes pods into a gate's present batch, of which another begins nextBatch after the last, and returns how many are left, and
// whether there are more among them than those that were refused. Pods that were released already are in neither.
func (r *podReleases) next(
	gate types.NamespacedName, pods []*corev1.Pod, size int, now time.Time,
) (batch []*corev1.Pod, left int, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	release := r.gates[gate]
	over := release == nil || now.Sub(release.began) >= nextBatch
	if len(pods) == 0 && over {
		delete(r.gates, gate)
		return nil, 0, false
	}
	if release == nil {
		release = &podRelease{}
		if r.gates == nil {
			r.gates = map[types.NamespacedName]*podRelease{}
		}
		r.gates[gate] = release
	}
	waiting, refused := release.sort(pods)
	if over {
		release.began, release.size = now, 0
	}
	untried := len(waiting)
	if untried == 0 {
		waiting, refused = refused, nil
	}
	room := min(max(size-release.size, 0), len(waiting))
	release.size += room
	return waiting[:room], len(waiting) - room + len(refused), untried > room
}

// sort returns the pods that wait and were not refused, and those that were, in the order in which they were tried. It forgets all
// pods but these.
func (r *podRelease) sort(pods []*corev1.Pod) (waiting, refused []*corev1.Pod) {
	released, refusals := map[types.UID]bool{}, map[types.UID]podRefusal{}
	for _, pod := range pods {
		why, wasRefused := r.refused[pod.UID]
		switch {
		case r.released[pod.UID]:
			released[pod.UID] = true
		case wasRefused:
			refusals[pod.UID] = why
			refused = append(refused, pod)
		default:
			waiting = append(waiting, pod)
		}
	}
	r.released, r.refused = released, refusals
	slices.SortStableFunc(refused, func(a, b *corev1.Pod) int { return refusals[a.UID].at.Compare(refusals[b.UID].at) })
	return waiting, refused
}

// note remembers that a pod of a gate's present batch was released.
func (r *podReleases) note(gate types.NamespacedName, pod types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gates[gate].released[pod] = true
	delete(r.gates[gate].refused, pod)
}

// refuse remembers that a pod of a gate's present batch could not be released.
func (r *podReleases) refuse(gate types.NamespacedName, pod types.UID, why podRefusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gates[gate].refused[pod] = why
}

// refusals returns how many of the pods could not be released when they were tried last, and why the first of them could not.
func (r *podReleases) refusals(gate types.NamespacedName, pods []*corev1.Pod) (n int, first error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	release := r.gates[gate]
	if release == nil {
		return 0, nil
	}
	for _, pod := range pods {
		why, wasRefused := release.refused[pod.UID]
		if !wasRefused {
			continue
		}
		if n++; first == nil {
			first = why.err
		}
	}
	return n, first
}

func (r *podReleases) forget(gate types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.gates, gate)
}
