package events

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

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

	maxBatchSize      = 2000 // Statsig's own bound
	maxPendingBatches = 10_000
	maxQueueBytes     = 1 << 30
	maxInFlight       = 16
	maxDedupeSize     = 10_000_000
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
	// ShutdownTimeout bounds the flush after the context of [Logger.Run] is done; default 10 s.
	ShutdownTimeout time.Duration

	// RepeatEvery is how long an equal exposure of the same unit is left out; default 24 h. [SDKRepeatEvery] behaves as
	// the official SDKs do.
	RepeatEvery time.Duration
	// DedupeSize is the number of exposures remembered for that, 1 to 10,000,000, at roughly 60 bytes each; default
	// 100,000.
	DedupeSize int

	// Observer is told what happens; may be nil.
	Observer Observer
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
	setDefault(&o.BatchSize, defaultBatchSize)
	setDefault(&o.FlushInterval, defaultFlushInterval)
	setDefault(&o.MaxPendingBatches, defaultPendingBatches)
	setDefault(&o.MaxQueueBytes, defaultQueueBytes)
	setDefault(&o.ShutdownTimeout, defaultShutdownTimeout)
	setDefault(&o.RepeatEvery, defaultRepeatEvery)
	setDefault(&o.DedupeSize, defaultDedupeSize)
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
		checkRange("BatchSize", o.BatchSize, maxBatchSize),
		checkRange("MaxPendingBatches", o.MaxPendingBatches, maxPendingBatches),
		checkRange("MaxQueueBytes", o.MaxQueueBytes, maxQueueBytes),
		checkRange("MaxInFlight", o.MaxInFlight, maxInFlight),
		checkRange("DedupeSize", o.DedupeSize, maxDedupeSize),
		checkPositive("RequestTimeout", o.RequestTimeout),
		checkPositive("FlushInterval", o.FlushInterval),
		checkPositive("ShutdownTimeout", o.ShutdownTimeout),
		checkPositive("RepeatEvery", o.RepeatEvery),
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
