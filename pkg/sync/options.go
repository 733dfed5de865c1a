package specsync

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// Defaults and bounds of [Options].
const (
	DefaultInterval = 10 * time.Second
	MinInterval     = time.Second
	DefaultTimeout  = 3 * time.Second
	// DefaultInitialTimeout bounds the first poll.
	DefaultInitialTimeout = 10 * time.Second

	DefaultIDListInterval = 60 * time.Second
	DefaultIDListTimeout  = 30 * time.Second
	DefaultMaxIDs         = 20_000_000
)

// Options configure a Syncer. Only Sources is required.
type Options struct {
	// Client asks for the ID lists, and its key is the one that documents must have been made for. Nil when there is
	// no key: then any document is accepted. Its idle connections are closed when Run ends.
	Client *Client
	// Sources are asked in this order until one answers usefully; at least one, none nil.
	Sources []Source
	// Interval is the time from the start of one poll to the start of the next; 0 is DefaultInterval, at least
	// MinInterval.
	Interval time.Duration
	// Phase is added once, to the first interval, so that projects that start together don't poll together. It is
	// taken modulo Interval and must not be negative.
	Phase time.Duration
	// Timeout bounds each request, its body included; 0 is DefaultTimeout.
	Timeout time.Duration
	// InitialTimeout bounds the first poll, all sources together, so that those who wait for it learn soon that there are
	// no specs yet; 0 is DefaultInitialTimeout.
	InitialTimeout time.Duration
	// IDLists configure the ID lists; the zero value leaves them off.
	IDLists IDListOptions
	// Store keeps the last good specs and ID lists for the next start; nil for none. In a Pool every lease's store is
	// kept up to date, but a Syncer that runs already reads nothing from one that comes later.
	Store Store
	// StoreScope says, beside the SDK key, what the stored documents belong to: what is stored for another scope is
	// refused. It should name the sources, since a document of one is not to be compared with those of another.
	StoreScope string
	// Guard may hold a snapshot back; nil lets all through.
	Guard Guard
	// GuardIdentity tells guards apart, for a Pool shares Syncers only where it is equal: the project's UID. A guard
	// whose bounds may change should read them when it is called, and keep its identity; see [Syncer.Reconsider].
	GuardIdentity string
	// Observer is told of every request; nil for none.
	Observer Observer
}

// IDListOptions configure the ID lists of a project.
type IDListOptions struct {
	// Enabled switches them on; Options.Client is required then.
	Enabled bool
	// URL is the manifest's full URL, asked with POST; "" is Statsig's CDN.
	URL string
	// Interval is the time between two manifests; 0 is DefaultIDListInterval, at least MinInterval.
	Interval time.Duration
	// Timeout bounds the download of one list; 0 is DefaultIDListTimeout. The manifest has Options.Timeout.
	Timeout time.Duration
	// MaxIDs bounds the IDs held in all lists together, at some 10 bytes each; 0 is DefaultMaxIDs. A list that would
	// exceed it keeps its former content.
	MaxIDs int
}

// Observer is told how requests go, for metrics. It must be safe for concurrent use and must not block.
type Observer interface {
	// Observe is called after each request.
	Observe(Request)
}

// Values of Request.Source for what is no source of specs.
const (
	// IDListsName stands for a manifest and all the downloads that followed it.
	IDListsName = "IDLists"
	// StoreLoadName and StoreSaveName stand for reading a store and for writing to it.
	StoreLoadName = "StoreLoad"
	StoreSaveName = "StoreSave"
)

// Request is one finished request, or the end of a [Watcher]'s Watch.
type Request struct {
	// Source is the name of the source asked, or one of the names above.
	Source string
	// Outcome says how it ended.
	Outcome Outcome
	// Took is how long it took, decoding and compiling included.
	Took time.Duration
}

// withDefaults validates o and fills in what it leaves open.
func (o Options) withDefaults() (Options, error) {
	if len(o.Sources) == 0 {
		return o, errors.New("there is no source")
	}
	for i, s := range o.Sources {
		if s == nil {
			return o, fmt.Errorf("source %d is nil", i)
		}
	}
	if o.IDLists.Enabled && o.Client == nil {
		return o, errors.New("ID lists need a client")
	}
	if o.Guard != nil && o.GuardIdentity == "" {
		return o, errors.New("the guard has no identity")
	}
	if o.Phase < 0 || o.IDLists.MaxIDs < 0 {
		return o, errors.New("the phase or the number of IDs is negative")
	}
	for _, d := range []struct {
		name              string
		value             *time.Duration
		fallback, minimum time.Duration
	}{
		{"interval", &o.Interval, DefaultInterval, MinInterval},
		{"timeout", &o.Timeout, DefaultTimeout, time.Millisecond},
		{"initial timeout", &o.InitialTimeout, DefaultInitialTimeout, time.Millisecond},
		{"interval of the ID lists", &o.IDLists.Interval, DefaultIDListInterval, MinInterval},
		{"timeout of the ID lists", &o.IDLists.Timeout, DefaultIDListTimeout, time.Millisecond},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
		if *d.value < d.minimum {
			return o, fmt.Errorf("the %s is %s, less than %s", d.name, *d.value, d.minimum)
		}
	}
	if o.IDLists.MaxIDs == 0 {
		o.IDLists.MaxIDs = DefaultMaxIDs
	}
	o.Phase %= o.Interval
	return o, nil
}

// identity is equal for options whose syncers would ask the same for the same, and publish the same of it. Intervals,
// phase, observer and stores don't count: a shared syncer takes the shortest interval and writes to all stores. It is a hash because sources may name URLs with passwords.
func (o Options) identity() string {
	h := sha256.New()
	field := func(s string) { _, _ = fmt.Fprintf(h, "%d:%s", len(s), s) }
	for _, s := range o.Sources {
		field(s.Identity())
	}
	if o.Client != nil {
		_, _ = io.WriteString(h, "client")
		field(o.Client.identity())
	}
	if o.IDLists.Enabled {
		_, _ = io.WriteString(h, "lists")
		field(o.IDLists.URL)
		_, _ = fmt.Fprintf(h, "%d %d", o.IDLists.Timeout, o.IDLists.MaxIDs)
	}
	_, _ = fmt.Fprintf(h, "timeout %d", o.Timeout)
	if o.Guard != nil {
		_, _ = io.WriteString(h, "guard")
		field(o.GuardIdentity)
	}
	return hex.EncodeToString(h.Sum(nil))
}
