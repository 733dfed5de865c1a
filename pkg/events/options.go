package events

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/statsig-operator/statsig-operator/pkg/events/spool"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// DefaultURL is Statsig's own events endpoint.
const DefaultURL = "https://prodregistryv2.org/v1/log_event"

// SDKRepeatEvery is the window in which the official SDKs leave out repeated exposures.
const SDKRepeatEvery = time.Minute

const (
	defaultBatchSize       = 1000
	defaultPendingBatches  = 100
	defaultQueueBytes      = 64 << 20
	defaultFlushInterval   = 60 * time.Second
	defaultRequestTimeout  = 10 * time.Second
	defaultShutdownTimeout = 10 * time.Second
	defaultRepeatEvery     = 24 * time.Hour
	defaultDedupeSize      = 100_000
	defaultSpoolInterval   = 500 * time.Millisecond
	defaultSpoolBytes      = 256 << 20
	defaultSamplingSize    = 100_000

	maxBatchSize      = 2000 // Statsig's own bound
	maxPendingBatches = 10_000
	maxQueueBytes     = 1 << 30
	maxInFlight       = 16
	maxDedupeSize     = 10_000_000
	minSpoolInterval  = 10 * time.Millisecond
	maxSpoolInterval  = time.Minute
	minSpoolBytes     = 16 << 20
)

// Options configure a [Logger]. SDKKey and Now are required; the zero value of any other field stands for its default.
type Options struct {
	// SDKKey authenticates at the events endpoint. Required unless Disabled is set.
	SDKKey secret.Key
	// Now is the clock, commonly time.Now. Required.
	Now func() time.Time
	// URL is the complete URL events are posted to; default [DefaultURL].
	URL string
	// Disabled drops every event at the door. The drops are counted.
	Disabled bool
	// DisableNetwork takes events and makes batches of them as ever, and drops those where they would be sent, as the
	// official SDKs do. The drops are counted. There is no spool then.
	DisableNetwork bool

	// SDKVersion is reported to Statsig; default "dev".
	SDKVersion string
	// ServiceName is reported to Statsig when set.
	ServiceName string
	// SessionID is reported to Statsig and should be one UUID per process; default a random one.
	SessionID string

	// Transport carries the requests, with the proxy and certificates of the project; default [http.DefaultTransport].
	Transport http.RoundTripper
	// RequestTimeout bounds one request; default 10 s.
	RequestTimeout time.Duration
	// MaxInFlight is how many requests may run at once, 1 to 16; default 1, which also keeps batches in order.
	MaxInFlight int

	// Compression is how request bodies are coded; default [CompressionGzip].
	Compression Compression
	// BatchSize is the number of events that are sent without waiting for FlushInterval, 1 to 2000; default 1000.
	BatchSize int
	// FlushInterval is how long events of a part-full batch wait at most; default 60 s.
	FlushInterval time.Duration
	// MaxPendingBatches times BatchSize is the number of events the queue holds, 1 to 10,000; default 100. Beyond it
	// the oldest events are dropped.
	MaxPendingBatches int
	// MaxQueueBytes bounds the serialised size of queued events, up to 1 GiB; default 64 MiB. Beyond it the oldest
	// events are dropped.
	MaxQueueBytes int
	// ShutdownTimeout bounds the requests made after the context of [Logger.Run] is done; default 10 s.
	ShutdownTimeout time.Duration

	// Spool keeps events on disk until they are delivered; the zero value keeps them in memory only.
	Spool SpoolOptions

	// RepeatEvery is how long an equal exposure of the same unit is left out; default 24 h. [SDKRepeatEvery] behaves as
	// the official SDKs do.
	RepeatEvery time.Duration
	// DedupeSize is the number of exposures remembered for that, 1 to 10,000,000, at roughly 75 bytes each; default
	// 100,000.
	DedupeSize int
	// ExposeOverridden logs exposures of values that a local override gave, too. They say nothing about Statsig's own
	// rules, so by default they are left out.
	ExposeOverridden bool
	// SamplingSize is the number of rules whose first exposure is remembered where the project asks for sampling, 1 to
	// 10,000,000, at roughly 40 bytes each; default 100,000.
	SamplingSize int

	// Observer is told what happens; may be nil.
	Observer Observer
}

// SpoolOptions configure the spool of a [Logger]. An event is safe once it is written: it survives the death of the
// process from then on, and the death of the node as Fsync says. Until then it is in memory only, for Interval at most,
// or until [Logger.Sync] returns.
type SpoolOptions struct {
	// Dir is the directory of this logger alone, on a volume that outlives the process. It is made when missing, and not
	// shared: while somebody else has it, events are in memory only. Empty switches the spool off.
	Dir string
	// AdoptFrom is a directory that holds the spool directories of all replicas for this project, and of no other
	// project. What lost replicas left there is sent by this one. Empty leaves it there.
	AdoptFrom string
	// Interval is how long events may be in memory only, 10 ms to 1 min; default 500 ms.
	Interval time.Duration
	// Fsync says when events survive the death of the node: with [spool.SyncInterval], the default, after another
	// Interval at most; with [spool.SyncAlways] as soon as the process's; with [spool.SyncNever] when the kernel likes.
	Fsync spool.SyncPolicy
	// MaxBytes bounds the disk space, 16 MiB at least; default 256 MiB. Beyond it the oldest events are dropped.
	MaxBytes int64
	// FS is the file system; default the operating system's.
	FS spool.FS
}

// spool returns the options of the spool itself.
func (o SpoolOptions) spool(dropped func(spool.Drop, int)) spool.Options {
	return spool.Options{Dir: o.Dir, Sync: o.Fsync, MaxBytes: o.MaxBytes, Dropped: dropped, FS: o.FS}
}

func (o SpoolOptions) check() error {
	if o.Dir == "" {
		return nil
	}
	switch {
	case o.Interval < minSpoolInterval || o.Interval > maxSpoolInterval:
		return fmt.Errorf("Spool.Interval is %s, not between %s and %s", o.Interval, minSpoolInterval, maxSpoolInterval)
	case o.MaxBytes < minSpoolBytes:
		return fmt.Errorf("Spool.MaxBytes is %d, less than %d", o.MaxBytes, minSpoolBytes)
	}
	if err := o.spool(nil).Validate(); err != nil {
		return fmt.Errorf("checking spool options: %w", err)
	}
	return nil
}

// withDefaults returns o with defaults filled in, or an error that names the field that is out of bounds.
func (o Options) withDefaults() (Options, error) {
	if o.SDKKey.IsZero() && !o.Disabled {
		return o, errors.New("an SDK key is required unless events are disabled")
	}
	if o.Now == nil {
		return o, errors.New("a clock is required")
	}
	setDefault(&o.URL, DefaultURL)
	setDefault(&o.SDKVersion, "dev")
	setDefault(&o.RequestTimeout, defaultRequestTimeout)
	setDefault(&o.MaxInFlight, 1)
	setDefault(&o.Compression, CompressionGzip)
	setDefault(&o.BatchSize, defaultBatchSize)
	setDefault(&o.FlushInterval, defaultFlushInterval)
	setDefault(&o.MaxPendingBatches, defaultPendingBatches)
	setDefault(&o.MaxQueueBytes, defaultQueueBytes)
	setDefault(&o.ShutdownTimeout, defaultShutdownTimeout)
	setDefault(&o.RepeatEvery, defaultRepeatEvery)
	setDefault(&o.DedupeSize, defaultDedupeSize)
	setDefault(&o.SamplingSize, defaultSamplingSize)
	setDefault(&o.Spool.Interval, defaultSpoolInterval)
	setDefault(&o.Spool.MaxBytes, defaultSpoolBytes)
	setDefault(&o.Spool.Fsync, spool.SyncInterval)
	if o.SessionID == "" {
		o.SessionID = uuid.NewString()
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Observer == nil {
		o.Observer = noObserver{}
	}
	return o, errors.Join(
		checkURL(o.URL),
		checkCompression(o.Compression),
		checkRange("BatchSize", o.BatchSize, maxBatchSize),
		checkRange("MaxPendingBatches", o.MaxPendingBatches, maxPendingBatches),
		checkRange("MaxQueueBytes", o.MaxQueueBytes, maxQueueBytes),
		checkRange("MaxInFlight", o.MaxInFlight, maxInFlight),
		checkRange("DedupeSize", o.DedupeSize, maxDedupeSize),
		checkRange("SamplingSize", o.SamplingSize, maxDedupeSize),
		checkPositive("RequestTimeout", o.RequestTimeout),
		checkPositive("FlushInterval", o.FlushInterval),
		checkPositive("ShutdownTimeout", o.ShutdownTimeout),
		checkPositive("RepeatEvery", o.RepeatEvery),
		o.Spool.check(),
	)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// checkURL never quotes the URL: it may hold credentials.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("URL is not a complete http or https URL")
	}
	return nil
}

func checkRange(field string, value, limit int) error {
	if value < 1 || value > limit {
		return fmt.Errorf("%s is %d, not between 1 and %d", field, value, limit)
	}
	return nil
}

func checkPositive(field string, value time.Duration) error {
	if value <= 0 {
		return fmt.Errorf("%s is %s, not positive", field, value)
	}
	return nil
}
