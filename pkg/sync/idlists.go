package specsync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// IDLists are the ID lists of a project at one moment. They are immutable; a nil IDLists has no lists.
type IDLists struct {
	sets    map[string]*idSet
	pending []string
}

var _ eval.IDLists = (*IDLists)(nil)

// Contains implements [eval.IDLists].
func (l *IDLists) Contains(list, hash string) bool {
	set, known := l.all()[list]
	if !known {
		return false
	}
	packed, ok := packHash(hash)
	return ok && set.contains(packed)
}

// Names returns the names of the lists held, sorted.
func (l *IDLists) Names() []string { return slices.Sorted(maps.Keys(l.all())) }

// Len returns the number of IDs in a list, 0 for an unknown one.
func (l *IDLists) Len(list string) int {
	if set, known := l.all()[list]; known {
		return set.n
	}
	return 0
}

// Version is equal for lists of equal content, in whatever process and order they came together.
func (l *IDLists) Version() string {
	sum := sha256.New()
	for _, name := range l.Names() {
		set := l.sets[name]
		_, _ = fmt.Fprintf(sum, "%q %d %x\n", name, set.n, set.sum) // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// Pending returns the names of the lists that exist but could not be downloaded yet, sorted. Until they are, they
// contain nothing.
func (l *IDLists) Pending() []string {
	if l == nil {
		return nil
	}
	return slices.Clone(l.pending)
}

// Changed returns the names of the lists whose content differs between l and an earlier was, sorted; lists that
// appeared and lists that vanished are among them.
func (l *IDLists) Changed(was *IDLists) []string {
	before, after := was.all(), l.all()
	var names []string
	for name, set := range after {
		if before[name] != set {
			names = append(names, name)
		}
	}
	for name := range before {
		if _, known := after[name]; !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (l *IDLists) all() map[string]*idSet {
	if l == nil {
		return nil
	}
	return l.sets
}

// heldList is a list with what is needed to continue its download. It is replaced, not changed.
type heldList struct {
	set     *idSet
	fileID  string
	created int64
	// offset is the first byte of the file that has not been consumed.
	offset int64
	// size is the file's size that has been satisfied. It exceeds offset when the last line has no line break.
	size int64
}

// plan is what a manifest's entry asks for.
type plan int

const (
	planKeep plan = iota
	planExtend
	planReplace
)

// planFor compares an entry with the list held. Statsig's SDKs merge a file that is older than the one held and read
// it again and again; it is passed over here. A file that shrank is, as there, left alone: files only grow.
func planFor(held *heldList, e manifestEntry) plan {
	switch {
	case held == nil:
		return planReplace
	case e.CreationTime < held.created:
		return planKeep
	case e.CreationTime > held.created || e.FileID != held.fileID:
		return planReplace
	case e.Size > held.size:
		return planExtend
	default:
		return planKeep
	}
}

// listUpdate is what a round of the ID list loop brings. held is not changed afterwards.
type listUpdate struct {
	lists *IDLists
	held  map[string]*heldList
	err   error
}

// listSyncer keeps the ID lists. All but interval and retimed belongs to its loop.
type listSyncer struct {
	client   *Client
	options  Options
	manifest *url.URL
	interval atomic.Int64
	retimed  chan struct{}

	held      map[string]*heldList
	published *IDLists // nil before the first manifest
	rounds    int
	lastStart time.Time
	pace      pace
	failing   map[string]*failingList
}

// failingList is the trouble with one list; it does not hold up the others.
type failingList struct {
	pace
	err error
}

func newListSyncer(o Options) (*listSyncer, error) {
	manifest, err := parseBase(orElse(o.IDLists.URL, idListCDN))
	if err != nil {
		return nil, err
	}
	l := &listSyncer{
		client: o.Client, options: o, manifest: manifest, retimed: make(chan struct{}, 1), failing: map[string]*failingList{},
	}
	l.interval.Store(int64(o.IDLists.Interval))
	return l, nil
}

// run syncs until ctx ends, the first time at once, and hands each result over.
func (l *listSyncer) run(ctx context.Context, results chan<- listUpdate) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(l.dueAt().Sub(now()))
		select {
		case <-ctx.Done():
			return
		case <-l.retimed:
			continue
		case <-timer.C:
		}
		update := l.sync(ctx)
		if ctx.Err() != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case results <- update:
		}
	}
}

func (l *listSyncer) dueAt() time.Time {
	if l.rounds == 0 {
		return time.Time{}
	}
	gap := time.Duration(l.interval.Load())
	if l.rounds == 1 {
		gap += l.options.Phase
	}
	due := l.lastStart.Add(gap)
	if ready := l.pace.dueAt(false); ready.After(due) {
		return ready
	}
	return due
}

// sync reads the manifest and then what each list lacks, one list after another.
func (l *listSyncer) sync(ctx context.Context) listUpdate {
	begun := now()
	l.rounds++
	l.lastStart = begun
	was := l.published
	entries, err := l.fetchManifest(ctx)
	if err != nil {
		err = fmt.Errorf("fetching the ID lists' manifest: %w", err)
		l.pace.failed(now(), err, time.Duration(l.interval.Load()))
	} else {
		l.pace.succeeded()
		err = l.update(ctx, entries)
	}
	if ctx.Err() != nil {
		return listUpdate{}
	}
	outcome := outcomeOf(err)
	if err == nil && l.published != was {
		outcome = OutcomeChanged
	}
	observe(l.options.Observer, Request{Source: IDListsName, Outcome: outcome, Took: now().Sub(begun)})
	return listUpdate{lists: l.published, held: l.held, err: l.client.scrubError(err)}
}

// update brings every list of the manifest up to date and drops the others. A list that cannot be read keeps its
// former content.
func (l *listSyncer) update(ctx context.Context, entries map[string]manifestEntry) error {
	next := make(map[string]*heldList, len(entries))
	total := 0
	for name := range entries {
		total += l.published.Len(name)
	}
	var (
		errs    []error
		pending []string
	)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		before := l.published.Len(name)
		list, err := l.bring(ctx, name, entries[name], l.options.IDLists.MaxIDs-total+before)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("reading the ID list %q: %w", l.client.scrub(name), err))
		}
		if list == nil {
			pending = append(pending, name)
			continue
		}
		next[name] = list
		total += list.set.n - before
	}
	maps.DeleteFunc(l.failing, func(name string, _ *failingList) bool { _, listed := entries[name]; return !listed })
	l.held = next
	l.republish(pending)
	return join(errs)
}

// republish makes a new IDLists of what is held, unless the published one says the same: a pointer that stays tells
// everybody that nothing changed.
func (l *listSyncer) republish(pending []string) {
	sets := make(map[string]*idSet, len(l.held))
	for name, list := range l.held {
		sets[name] = list.set
	}
	next := &IDLists{sets: sets, pending: pending}
	if l.published == nil || len(next.Changed(l.published)) > 0 || !slices.Equal(pending, l.published.pending) {
		l.published = next
	}
}

// restore begins with lists that were held before, unless they are more than allowed now.
func (l *listSyncer) restore(held map[string]*heldList) {
	total := 0
	for _, list := range held {
		total += list.set.n
	}
	if len(held) > 0 && total <= l.options.IDLists.MaxIDs {
		l.held = held
		l.republish(nil)
	}
}

// bring returns a list as the manifest's entry wants it, with at most room IDs; nil when it is not held and cannot be
// read. With an error the list is the former one.
func (l *listSyncer) bring(ctx context.Context, name string, e manifestEntry, room int) (*heldList, error) {
	held := l.held[name]
	trouble := l.failing[name]
	if trouble != nil && trouble.dueAt(false).After(now()) {
		return held, trouble.err
	}
	list, err := l.follow(ctx, planFor(held, e), held, e, room)
	if err == nil {
		delete(l.failing, name)
		return list, nil
	}
	if trouble == nil {
		trouble = &failingList{}
		l.failing[name] = trouble
	}
	trouble.err = err
	trouble.failed(now(), err, time.Duration(l.interval.Load()))
	return held, err
}

// follow carries out a plan.
func (l *listSyncer) follow(ctx context.Context, p plan, held *heldList, e manifestEntry, room int) (*heldList, error) {
	switch {
	case e.unusable:
		return nil, malformedError("its entry in the manifest has no URL, or a wrong size")
	case p == planKeep:
		return held, nil
	case p == planReplace && e.Size == 0:
		// An empty file has no first byte to ask for; servers answer such a range with an error.
		return &heldList{set: sameSet(held, newIDSet()), fileID: e.FileID, created: e.CreationTime}, nil
	}
	var base *heldList
	if p == planExtend {
		base = held
	}
	list, err := l.download(ctx, base, e, room)
	if err != nil {
		return nil, err
	}
	list.set = sameSet(held, list.set)
	return list, nil
}

// sameSet returns the set held if next has the same content, so that a file that was only rewritten changes nothing.
func sameSet(held *heldList, next *idSet) *idSet {
	if held != nil && (held.set == next || held.set.equal(next)) {
		return held.set
	}
	return next
}
