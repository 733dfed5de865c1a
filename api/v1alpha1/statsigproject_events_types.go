package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EventsSpec says how exposures are sent to Statsig.
type EventsSpec struct {
	// disabled sends nothing and keeps nothing. Default: false.
	// +optional
	Disabled bool `json:"disabled,omitempty"`
	// disableNetwork takes events as ever, and drops and counts them where they would be sent: for tests of everything but the delivery.
	// Default: false.
	// +optional
	DisableNetwork bool `json:"disableNetwork,omitempty"`
	// url is the base address that events go to; /log_event is appended. Default: that of the first HTTP source, else Statsig's.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != '' && !self.contains('?') && !self.contains('#') && !self.contains('@')",message="url must be an http or https address without user, query and fragment"
	URL string `json:"url,omitempty"`
	// flushInterval is how long an event waits at most before its batch is sent, from 1s to 1h. Default: 60s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="flushInterval must be from 1s to 1h"
	FlushInterval *metav1.Duration `json:"flushInterval,omitempty"`
	// maxBatchSize is the largest number of events in one request. Default: 1000.
	// +optional
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=2000
	MaxBatchSize *int32 `json:"maxBatchSize,omitempty"`
	// maxPendingBatches is how many batches wait at most; beyond that the oldest events are dropped and counted. Default: 100.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxPendingBatches *int32 `json:"maxPendingBatches,omitempty"`
	// spool says whether events wait on disk, in the directory that the manager was started with (--events-spool-dir), so that a crash
	// loses none: Enabled or Disabled. Default: Enabled where there is such a directory.
	// +optional
	Spool EventsSwitch `json:"spool,omitempty"`
	// compression of batches: Gzip or Zstd. Default: Gzip.
	// +optional
	Compression EventsCompression `json:"compression,omitempty"`
	// overridden says whether values that come from spec.overrides are reported as exposures: Enabled or Disabled. Default: Disabled.
	// +optional
	Overridden EventsSwitch `json:"overridden,omitempty"`
	// rollouts says whether rollouts of bound workloads are reported as custom events (started, finished, failed, restarted), so that
	// an experiment on workloads can be read by their health: Enabled or Disabled. Default: Disabled.
	// +optional
	Rollouts EventsSwitch `json:"rollouts,omitempty"`
	// globalCustomFields are added to the custom fields of every user, for evaluation as well as in events. Default: none.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	GlobalCustomFields []CustomField `json:"globalCustomFields,omitempty"`
}

// EventsSwitch is Enabled or Disabled. (On and Off would be read as booleans by YAML unless quoted.)
//
// +kubebuilder:validation:Enum=Enabled;Disabled
type EventsSwitch string

const (
	// EventsEnabled switches on.
	EventsEnabled EventsSwitch = "Enabled"
	// EventsDisabled switches off.
	EventsDisabled EventsSwitch = "Disabled"
)

// EventsCompression is how batches of events are compressed.
//
// +kubebuilder:validation:Enum=Gzip;Zstd
type EventsCompression string

const (
	// CompressionGzip is gzip.
	CompressionGzip EventsCompression = "Gzip"
	// CompressionZstd is zstd.
	CompressionZstd EventsCompression = "Zstd"
)

// CustomField is one custom field of every user.
type CustomField struct {
	// name of the field.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name"`
	// value of the field.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value"`
}
