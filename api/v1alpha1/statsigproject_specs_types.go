package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SpecsSpec says where the config specs document is read.
type SpecsSpec struct {
	// sources are tried in this order at every interval until one answers; the last good document is always the last resort.
	// Default: one source of type CDN. The order is the meaning, so the list is replaced as a whole.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Sources []SpecsSource `json:"sources,omitempty"`
	// interval between two requests, from 1s to 24h. Errors are retried with growing pauses, never faster than this. Default: 10s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="interval must be from 1s to 24h"
	Interval *metav1.Duration `json:"interval,omitempty"`
	// timeout of one request, from 100ms to 5m. Default: 3s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('5m')",message="timeout must be from 100ms to 5m"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// initialTimeout bounds the first look at the sources, all of them together, from 100ms to 5m. Bindings wait for it. Default: 10s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('5m')",message="initialTimeout must be from 100ms to 5m"
	InitialTimeout *metav1.Duration `json:"initialTimeout,omitempty"`
	// encoding is what HTTP sources and forward proxies are asked for: JSON, or Protobuf, which is smaller and may come as a
	// difference to the last document. A server that does not know Protobuf answers JSON all the same. Default: JSON.
	// +optional
	Encoding SpecsEncoding `json:"encoding,omitempty"`
	// fallbackToStatsig asks Statsig's CDN as a last source, as the option of Statsig's SDKs does. Default: false.
	// +optional
	FallbackToStatsig bool `json:"fallbackToStatsig,omitempty"`
}

// SpecsEncoding is the form in which servers are asked for specs.
//
// +kubebuilder:validation:Enum=JSON;Protobuf
type SpecsEncoding string

const (
	// EncodingJSON is the classic document.
	EncodingJSON SpecsEncoding = "JSON"
	// EncodingProtobuf is Statsig's stream of protobuf messages.
	EncodingProtobuf SpecsEncoding = "Protobuf"
)

// SourceType is a kind of place that config specs are read from.
//
// +kubebuilder:validation:Enum=CDN;API;HTTP;ForwardProxy;ConfigMap;File;DataStore
type SourceType string

const (
	// SourceCDN is Statsig's content delivery network.
	SourceCDN SourceType = "CDN"
	// SourceAPI is Statsig's API.
	SourceAPI SourceType = "API"
	// SourceHTTP is any server that answers <url>/download_config_specs/<key>.json as Statsig does.
	SourceHTTP SourceType = "HTTP"
	// SourceForwardProxy is a Statsig forward proxy.
	SourceForwardProxy SourceType = "ForwardProxy"
	// SourceConfigMap is a key of a ConfigMap in the project's namespace.
	SourceConfigMap SourceType = "ConfigMap"
	// SourceFile is a file below the directory that the manager was started with (--specs-dir).
	SourceFile SourceType = "File"
	// SourceDataStore is a key-value store that holds specs under the keys that Statsig's SDKs use.
	SourceDataStore SourceType = "DataStore"
)

// SpecsSource is one place that config specs are read from.
//
// +kubebuilder:validation:XValidation:rule="has(self.url) == (self.type == 'HTTP')",message="url is required with type HTTP, and only then",fieldPath=".url"
// +kubebuilder:validation:XValidation:rule="has(self.address) == (self.type == 'ForwardProxy')",message="address is required with type ForwardProxy, and only then",fieldPath=".address"
// +kubebuilder:validation:XValidation:rule="has(self.dataStore) == (self.type == 'DataStore')",message="dataStore is required with type DataStore, and only then",fieldPath=".dataStore"
// +kubebuilder:validation:XValidation:rule="has(self.configMapRef) == (self.type == 'ConfigMap')",message="configMapRef is required with type ConfigMap, and only then",fieldPath=".configMapRef"
// +kubebuilder:validation:XValidation:rule="has(self.path) == (self.type == 'File')",message="path is required with type File, and only then",fieldPath=".path"
type SpecsSource struct {
	// type is CDN, API, HTTP, ForwardProxy, ConfigMap, File or DataStore.
	// +required
	Type SourceType `json:"type"`
	// url is the base address of an HTTP source, without the SDK key; /download_config_specs/<key>.json is appended, and
	// /get_id_lists for ID lists.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != '' && !self.contains('?') && !self.contains('#') && !self.contains('@')",message="url must be an http or https address without user, query and fragment"
	URL string `json:"url,omitempty"`
	// address of a forward proxy: http:// or https:// polls it, grpc:// or grpcs:// (with TLS) is told of every change in a
	// stream.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https?|grpcs?)://[^/?#@]+/?$') || (self.matches('^https?://') && isURL(self) && !self.contains('?') && !self.contains('#') && !self.contains('@'))",message="address must be an http, https, grpc or grpcs address without user, query and fragment"
	Address string `json:"address,omitempty"`
	// configMapRef names the ConfigMap, in this namespace, and the key in it that hold the document.
	// +optional
	ConfigMapRef *ConfigMapKeyRef `json:"configMapRef,omitempty"`
	// path of the document below the manager's --specs-dir, without "..".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.split('/').exists(p, p == '..')",message="path must be relative and without '..'"
	Path string `json:"path,omitempty"`
	// dataStore says which store holds the document.
	// +optional
	DataStore *DataStore `json:"dataStore,omitempty"`
}

// DataStore is a key-value store that holds specs under the keys that Statsig's SDKs use. It is read, never written.
//
// +kubebuilder:validation:XValidation:rule="has(self.redis) != has(self.secretRef)",message="exactly one of redis and secretRef is required"
type DataStore struct {
	// redis is a Redis server.
	// +optional
	Redis *RedisStore `json:"redis,omitempty"`
	// secretRef names a Secret in this namespace whose data has the store's keys, with every character that a Secret's key may not
	// have replaced by "_".
	// +optional
	SecretRef *LocalRef `json:"secretRef,omitempty"`
	// keys says how the store's keys name the project: Hashed, by the SHA-256 of the SDK key, as the SDKs do, or Readable, by its first
	// 20 characters, as Statsig's forward proxy does. Default: Hashed.
	// +optional
	Keys DataStoreKeys `json:"keys,omitempty"`
}

// DataStoreKeys is how the keys of a data store name the project.
//
// +kubebuilder:validation:Enum=Hashed;Readable
type DataStoreKeys string

const (
	// DataStoreKeysHashed names it by a hash of the SDK key.
	DataStoreKeysHashed DataStoreKeys = "Hashed"
	// DataStoreKeysReadable names it by the first characters of the SDK key.
	DataStoreKeysReadable DataStoreKeys = "Readable"
)

// RedisStore says how a Redis server is reached.
type RedisStore struct {
	// address is host:port.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[^\s/@]+:[0-9]{1,5}$`
	Address string `json:"address"`
	// tls speaks TLS, with the certificates of spec.transport. Default: false.
	// +optional
	TLS bool `json:"tls,omitempty"`
	// credentialsSecretRef names a Secret in this namespace with the keys password and, optionally, username. Default: none.
	// +optional
	CredentialsSecretRef *LocalRef `json:"credentialsSecretRef,omitempty"`
	// database is the number of the database. Default: 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1023
	Database int32 `json:"database,omitempty"`
}

// LocalRef names an object in the same namespace.
type LocalRef struct {
	// name of the object. RefNotFound when there is none.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// ConfigMapKeyRef names one key of a ConfigMap in the same namespace.
type ConfigMapKeyRef struct {
	// name of the ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// key in the ConfigMap's data or binaryData.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// IDListsSpec says whether and how often ID lists are synced.
type IDListsSpec struct {
	// enabled says whether ID lists are synced. Default: true. Sources of type ConfigMap and File offer none.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
	// interval between two looks at the manifest, from 1s to 24h. Default: 60s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="interval must be from 1s to 24h"
	Interval *metav1.Duration `json:"interval,omitempty"`
}

// StalenessSpec says when specs that no source confirms any more count as late or stale. Values stay either way.
//
// +kubebuilder:validation:XValidation:rule="!has(self.warnAfter) || !has(self.failAfter) || duration(self.warnAfter) <= duration(self.failAfter)",message="warnAfter must not be longer than failAfter",fieldPath=".warnAfter"
type StalenessSpec struct {
	// warnAfter this long without a good answer SpecsFresh becomes Unknown with the reason Late, from 1s to 720h. Default: 2m.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="warnAfter must be from 1s to 720h"
	WarnAfter *metav1.Duration `json:"warnAfter,omitempty"`
	// failAfter this long without a good answer SpecsFresh becomes False with the reason Stale, from 1s to 720h. Default: 1h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="failAfter must be from 1s to 720h"
	FailAfter *metav1.Duration `json:"failAfter,omitempty"`
}

// SnapshotStore is where the last good specs are kept.
//
// +kubebuilder:validation:Enum=Secret;Volume;None
type SnapshotStore string

const (
	// SnapshotSecret keeps them in Secrets in the operator's namespace.
	SnapshotSecret SnapshotStore = "Secret"
	// SnapshotVolume keeps them in the directory that the manager was started with (--snapshot-dir).
	SnapshotVolume SnapshotStore = "Volume"
	// SnapshotNone keeps them in memory only.
	SnapshotNone SnapshotStore = "None"
)

// SnapshotSpec says where the last good specs and ID lists are kept.
type SnapshotSpec struct {
	// store is Secret, Volume or None. Default: Secret, or None where the manager was told no namespace to keep them in
	// (--snapshot-namespace).
	// +optional
	Store SnapshotStore `json:"store,omitempty"`
}

// ChangeGuardSpec bounds what one change of the specs may do. The first specs are never held.
//
// +kubebuilder:validation:XValidation:rule="has(self.maxRemovedPercent) || has(self.maxChangedPercent) || has(self.maxAffectedUnits)",message="at least one bound is required"
type ChangeGuardSpec struct {
	// maxRemovedPercent is the share of gates, dynamic configs, experiments, layers and parameter stores that may be removed.
	// Default: no bound.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxRemovedPercent *int32 `json:"maxRemovedPercent,omitempty"`
	// maxChangedPercent is the share of them whose answers may differ, removed ones included. Default: no bound.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxChangedPercent *int32 `json:"maxChangedPercent,omitempty"`
	// maxAffectedUnits is the number of units (workloads, pods, namespaces) that ask for one of them. Default: no bound.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	MaxAffectedUnits *int32 `json:"maxAffectedUnits,omitempty"`
}

// WebhookSpec says how Statsig's webhook proves that it is Statsig's.
type WebhookSpec struct {
	// signingSecretRef names the Secret, in this namespace, that holds the webhook's signing secret.
	// +required
	SigningSecretRef SecretKeyRef `json:"signingSecretRef"`
}

// TransportSpec says how servers are reached.
//
// +kubebuilder:validation:XValidation:rule="!has(self.proxyCredentialsSecretRef) || has(self.proxyURL)",message="proxyCredentialsSecretRef goes with proxyURL",fieldPath=".proxyCredentialsSecretRef"
// +kubebuilder:validation:XValidation:rule="!has(self.noProxy) || has(self.proxyURL)",message="noProxy goes with proxyURL",fieldPath=".noProxy"
type TransportSpec struct {
	// proxyURL is the address of an HTTP or HTTPS proxy, without credentials. Default: as the manager's environment says.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != '' && !self.contains('?') && !self.contains('#') && !self.contains('@')",message="proxyURL must be an http or https address without user, query and fragment"
	ProxyURL string `json:"proxyURL,omitempty"`
	// proxyCredentialsSecretRef names a Secret in this namespace with the keys username and password. Default: none.
	// +optional
	ProxyCredentialsSecretRef *LocalRef `json:"proxyCredentialsSecretRef,omitempty"`
	// noProxy lists hosts, domains and CIDR blocks that are reached directly. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	NoProxy []string `json:"noProxy,omitempty"`
	// caBundleRef names certificate authorities (PEM) that are trusted beside the system's. They are read again every five minutes.
	// +optional
	CABundleRef *CABundleRef `json:"caBundleRef,omitempty"`
	// clientCertificateSecretRef names a Secret of type kubernetes.io/tls (tls.crt, tls.key) in this namespace, shown to servers
	// that ask for a certificate. It is read again every five minutes. Default: none.
	// +optional
	ClientCertificateSecretRef *LocalRef `json:"clientCertificateSecretRef,omitempty"`
}

// CABundleKind is the kind of object that holds certificate authorities.
//
// +kubebuilder:validation:Enum=ConfigMap;Secret
type CABundleKind string

const (
	// CABundleConfigMap is a ConfigMap.
	CABundleConfigMap CABundleKind = "ConfigMap"
	// CABundleSecret is a Secret.
	CABundleSecret CABundleKind = "Secret"
)

// CABundleRef names certificate authorities in this namespace.
type CABundleRef struct {
	// kind is ConfigMap or Secret. Default: ConfigMap.
	// +optional
	Kind CABundleKind `json:"kind,omitempty"`
	// name of the object. RefNotFound when there is none.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// key in its data. Default: ca.crt.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}
