package specsync

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/sync/statsigpb"
)

// ErrNoValue is what a [DataStore] answers when it has no value under a key.
var ErrNoValue = errors.New("the data store has no such value")

// DataStore is a key-value store that holds config specs under the keys of Statsig's SDKs. It is only read.
type DataStore interface {
	// Identity tells stores apart: two with the same identity hold the same. Never shown.
	Identity() string
	// Get returns the value of a key, which the store must not change afterwards, or an error that matches ErrNoValue.
	// The context carries the deadline. Errors must hold neither credentials nor the key, which may hold a part of the
	// SDK key.
	Get(ctx context.Context, key string) ([]byte, error)
}

// DataStoreKeyScheme is a way of naming a project's values in a [DataStore].
type DataStoreKeyScheme int

// The schemes. HashedDataStoreKeys, the default of the SDKs, uses the SHA-256 of the SDK key.
// ReadableDataStoreKeys uses the first 20 characters of the SDK key, and so shows them to whoever sees the store; the
// SDKs have it as an option, and Statsig's forward proxy writes to Redis under it.
const (
	HashedDataStoreKeys DataStoreKeyScheme = iota
	ReadableDataStoreKeys
)

// readableKeyLength is how much of the SDK key a readable data store key has.
const readableKeyLength = 20

// The forms in which the SDKs put config specs into a data store.
const (
	dataStoreJSON     = "plain_text"
	dataStoreProtobuf = statsigpb.ContentEncoding
)

// dataStoreKey names the config specs, in one of the forms, of the project that k belongs to.
func dataStoreKey(k secret.Key, scheme DataStoreKeyScheme, form string) string {
	id := k.Reveal()
	switch scheme {
	case ReadableDataStoreKeys:
		id = id[:min(len(id), readableKeyLength)]
	default:
		sum := sha256.Sum256([]byte(id))
		id = base64.StdEncoding.EncodeToString(sum[:])
	}
	return "statsig|/v2/download_config_specs|" + form + "|" + id
}

// DataStoreOptions configure a [DataStoreSource]. The zero value does as the SDKs do with a store that supports
// polling.
type DataStoreOptions struct {
	// KeyScheme names the values.
	KeyScheme DataStoreKeyScheme
	// StartOnly reads the store as long as there are no specs, and leaves all polling to the sources behind it, as the
	// SDKs do with a store that does not support polling.
	StartOnly bool
}

// DataStoreSource reads config specs from a [DataStore], into which an SDK, Statsig's forward proxy or a job puts
// them. Like the SDKs it prefers the protobuf form to JSON where the store has both. ID lists are not read from data
// stores: the current SDKs put none there.
type DataStoreSource struct {
	client               *Client
	store                DataStore
	keyProtobuf, keyJSON secret.Key
	startOnly            bool
}

// NewDataStoreSource returns a source that reads store for the project of c's SDK key.
func NewDataStoreSource(c *Client, store DataStore, o DataStoreOptions) (*DataStoreSource, error) {
	switch {
	case c == nil:
		return nil, errors.New("a data store source needs a client")
	case store == nil:
		return nil, errors.New("a data store source needs a data store")
	case o.KeyScheme != HashedDataStoreKeys && o.KeyScheme != ReadableDataStoreKeys:
		return nil, fmt.Errorf("there is no data store key scheme %d", o.KeyScheme)
	}
	held := c.secrets()
	s := &DataStoreSource{
		client: c, store: store, startOnly: o.StartOnly,
		keyProtobuf: secret.NewKey(dataStoreKey(held.key, o.KeyScheme, dataStoreProtobuf)),
		keyJSON:     secret.NewKey(dataStoreKey(held.key, o.KeyScheme, dataStoreJSON)),
	}
	held.scrubber.Add(s.keyProtobuf)
	held.scrubber.Add(s.keyJSON)
	return s, nil
}

// Name implements [Source].
func (s *DataStoreSource) Name() string { return "DataStore" }

// Identity implements [Source].
func (s *DataStoreSource) Identity() string {
	return fmt.Sprintf("store:%t %s %s", s.startOnly, s.keyJSON.Reveal(), s.store.Identity())
}

// Fetch implements [Source]. A store without the value has no specs to offer, which is no failure of its own.
func (s *DataStoreSource) Fetch(ctx context.Context, have Have) (Answer, error) {
	if s.startOnly && have.Time > 0 {
		return Answer{}, errReadAtStart
	}
	decode := fromProtobuf
	value, err := s.store.Get(ctx, s.keyProtobuf.Reveal())
	if errors.Is(err, ErrNoValue) {
		decode = fromJSON
		value, err = s.store.Get(ctx, s.keyJSON.Reveal())
	}
	if errors.Is(err, ErrNoValue) {
		return Answer{}, ErrNoSpecs
	}
	if err != nil {
		return Answer{}, s.readingError(err)
	}
	digest := sha256.Sum256(value)
	answer := Answer{Version: base64.StdEncoding.EncodeToString(digest[:]), Origin: OriginDataStore}
	if answer.NotModified = answer.Version == have.Version; answer.NotModified {
		return answer, nil
	}
	if answer.Document, err = decode(value); err != nil {
		return Answer{}, s.readingError(err)
	}
	return answer, nil
}

func (s *DataStoreSource) readingError(err error) error {
	return s.client.scrubError(fmt.Errorf("reading the data store: %w", err))
}

func fromJSON(value []byte) ([]byte, error) {
	if len(value) > MaxDocumentBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, MaxDocumentBytes)
	}
	return value, nil
}

func fromProtobuf(value []byte) ([]byte, error) {
	document, err := statsigpb.Decode(bytes.NewReader(value), nil, MaxDocumentBytes)
	if err != nil {
		return nil, protobufError(err)
	}
	return document.JSON, nil
}

// errReadAtStart passes the polling on to the next source.
var errReadAtStart = fmt.Errorf("%w: the data store is read at the start only", ErrNoSpecs)
