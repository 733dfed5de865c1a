package specsync

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
	"github.com/statsig-operator/statsig-operator/pkg/sync/statsigpb"
)

// mapStore is a DataStore in memory, which counts how often it is read.
type mapStore struct {
	values map[string][]byte
	err    error
	reads  int
}

func (m *mapStore) Identity() string { return "map" }

func (m *mapStore) Get(_ context.Context, key string) ([]byte, error) {
	m.reads++
	if m.err != nil {
		return nil, m.err
	}
	value, found := m.values[key]
	if !found {
		return nil, ErrNoValue
	}
	return value, nil
}

func newDataStoreSource(t *testing.T, store DataStore, o DataStoreOptions) *DataStoreSource {
	t.Helper()
	source, err := NewDataStoreSource((&stub{}).client(t, testKey), store, o)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// TestDataStoreKeys holds the names to those that the official SDK was recorded to use.
func TestDataStoreKeys(t *testing.T) {
	cases := map[string]struct {
		key    string
		scheme DataStoreKeyScheme
		form   string
		want   string
	}{
		"hashed": {
			key: "secret-oracle", scheme: HashedDataStoreKeys, form: dataStoreJSON,
			want: "statsig|/v2/download_config_specs|plain_text|NKParUP6E60NeGV2880rb5jXcImEsYz/9vm/4wZo7KA=",
		},
		"hashed, as protobuf": {
			key: "secret-oracle", scheme: HashedDataStoreKeys, form: dataStoreProtobuf,
			want: "statsig|/v2/download_config_specs|statsig-br|NKParUP6E60NeGV2880rb5jXcImEsYz/9vm/4wZo7KA=",
		},
		"readable": {
			key: "secret-0123456789abcdefghij", scheme: ReadableDataStoreKeys, form: dataStoreJSON,
			want: "statsig|/v2/download_config_specs|plain_text|secret-0123456789abc",
		},
		"readable, of a key that is short": {
			key: "secret-oracle", scheme: ReadableDataStoreKeys, form: dataStoreJSON,
			want: "statsig|/v2/download_config_specs|plain_text|secret-oracle",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := dataStoreKey(secret.NewKey(tc.key), tc.scheme, tc.form); got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}

func TestDataStoreAnswers(t *testing.T) {
	key := dataStoreKey(secret.NewKey(testKey), HashedDataStoreKeys, dataStoreJSON)
	readable := dataStoreKey(secret.NewKey(testKey), ReadableDataStoreKeys, dataStoreJSON)
	asProtobuf := dataStoreKey(secret.NewKey(testKey), HashedDataStoreKeys, dataStoreProtobuf)
	broken := errors.New("broken")
	values := func(pairs ...string) mapStore {
		store := mapStore{values: map[string][]byte{}}
		for i := 0; i < len(pairs); i += 2 {
			store.values[pairs[i]] = []byte(pairs[i+1])
		}
		return store
	}
	answer := func(text string) Answer {
		return Answer{Document: []byte(text), Version: versionOf(text), Origin: OriginDataStore}
	}
	cases := map[string]struct {
		store     mapStore
		options   DataStoreOptions
		have      Have
		want      Answer
		wantErr   error
		wantReads int
	}{
		"a value": {store: values(key, "hashed", readable, "readable"), want: answer("hashed"), wantReads: 2},
		"a value under a readable key": {
			store: values(key, "hashed", readable, "readable"), options: DataStoreOptions{KeyScheme: ReadableDataStoreKeys},
			want: answer("readable"), wantReads: 2,
		},
		"a value that has changed": {
			store: values(key, "text"), have: Have{Time: 17, Checksum: "a", Version: versionOf("other")},
			want: answer("text"), wantReads: 2,
		},
		"a value that is known": {
			store: values(key, "text"), have: Have{Time: 17, Checksum: "a", Version: versionOf("text")},
			want: Answer{NotModified: true, Version: versionOf("text"), Origin: OriginDataStore}, wantReads: 2,
		},
		"a protobuf value that is known is not decoded": {
			store: values(asProtobuf, "text"), have: Have{Time: 17, Version: versionOf("text")},
			want: Answer{NotModified: true, Version: versionOf("text"), Origin: OriginDataStore}, wantReads: 1,
		},
		"a protobuf value that is none": {store: values(asProtobuf, "text"), wantErr: ErrMalformed, wantReads: 1},
		"no value":                      {wantErr: ErrNoSpecs, wantReads: 2},
		"a store that fails":            {store: mapStore{err: broken}, wantErr: broken, wantReads: 1},
		"a value that is too large": {
			store: mapStore{values: map[string][]byte{key: make([]byte, MaxDocumentBytes+1)}}, wantErr: ErrTooLarge, wantReads: 2,
		},
		"a store for the start, at the start": {
			store: values(key, "text"), options: DataStoreOptions{StartOnly: true}, want: answer("text"), wantReads: 2,
		},
		"a store for the start, later": {
			store: values(key, "text"), options: DataStoreOptions{StartOnly: true}, have: Have{Time: 17}, wantErr: ErrNoSpecs,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := newDataStoreSource(t, &tc.store, tc.options).Fetch(t.Context(), tc.have)
			wantError(t, err, tc.wantErr)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if tc.store.reads != tc.wantReads {
				t.Errorf("want %d reads, got %d", tc.wantReads, tc.store.reads)
			}
		})
	}
}

// versionOf is the version of a value.
func versionOf(value string) string {
	digest := sha256.Sum256([]byte(value))
	return base64.StdEncoding.EncodeToString(digest[:])
}

func TestADataStoreWithBothFormsGivesProtobuf(t *testing.T) {
	stream, err := statsigpb.Encode([]byte(specs(100, "7", "binary")))
	if err != nil {
		t.Fatal(err)
	}
	store := &mapStore{values: map[string][]byte{
		dataStoreKey(secret.NewKey(testKey), HashedDataStoreKeys, dataStoreProtobuf): stream,
		dataStoreKey(secret.NewKey(testKey), HashedDataStoreKeys, dataStoreJSON):     []byte(specs(200, "8", "text")),
	}}
	s := newSyncer(t, Options{Sources: []Source{newDataStoreSource(t, store, DataStoreOptions{})}})
	s.poll(t.Context())
	if got := s.State(); gateOf(t, got) != "binary" || got.Err != nil || got.SourceName != "DataStore" {
		t.Errorf("want the protobuf document, got %+v", got)
	}
}

func TestErrorsOfADataStoreAreScrubbed(t *testing.T) {
	for _, scheme := range []DataStoreKeyScheme{HashedDataStoreKeys, ReadableDataStoreKeys} {
		key := dataStoreKey(secret.NewKey(testKey), scheme, dataStoreProtobuf)
		store := &mapStore{err: errors.New("there is nothing under " + key + " for " + testKey)}
		_, err := newDataStoreSource(t, store, DataStoreOptions{KeyScheme: scheme}).Fetch(t.Context(), Have{})
		if err == nil || strings.Contains(err.Error(), "Test/Key") || strings.Contains(err.Error(), "download_config_specs") {
			t.Errorf("want a clean error, got %v", err)
		}
	}
}

func TestDataStoreOptionsAreChecked(t *testing.T) {
	c := (&stub{}).client(t, testKey)
	for name, err := range map[string]error{
		"no client": errOf(NewDataStoreSource(nil, &mapStore{}, DataStoreOptions{})),
		"no store":  errOf(NewDataStoreSource(c, nil, DataStoreOptions{})),
		"no scheme": errOf(NewDataStoreSource(c, &mapStore{}, DataStoreOptions{KeyScheme: 7})),
	} {
		if err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}

func errOf(_ *DataStoreSource, err error) error { return err }

func TestDataStoreIdentities(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range []DataStoreOptions{{}, {StartOnly: true}, {KeyScheme: ReadableDataStoreKeys}} {
		seen[newDataStoreSource(t, &mapStore{}, o).Identity()] = true
	}
	if len(seen) != 3 {
		t.Errorf("want an identity for each of the options, got %d", len(seen))
	}
}

// TestADataStoreBeforeTheNetwork has the order of the SDKs: the store first, then HTTP.
func TestADataStoreBeforeTheNetwork(t *testing.T) {
	key := dataStoreKey(secret.NewKey(testKey), HashedDataStoreKeys, dataStoreJSON)
	cases := map[string]struct {
		startOnly bool
		values    map[string][]byte
		want      string
		wantReads int
		// wantAsked is how often the network is asked.
		wantAsked int
	}{
		"a store that supports polling keeps the network off": {
			values: map[string][]byte{key: []byte(specs(100, "a", "stored"))}, want: "stored", wantReads: 8, wantAsked: 0,
		},
		"a store for the start leaves the polling to the network": {
			values: map[string][]byte{key: []byte(specs(100, "a", "stored"))}, startOnly: true,
			want: "network", wantReads: 2, wantAsked: 3,
		},
		"an empty store leaves all to the network": {want: "network", wantReads: 8, wantAsked: 4},
		"an empty store for the start": {
			startOnly: true, want: "network", wantReads: 2, wantAsked: 4,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &stub{handler: body(specs(200, "b", "network"))}
				store := &mapStore{values: tc.values}
				o := server.options(t)
				source, err := NewDataStoreSource(o.Client, store, DataStoreOptions{StartOnly: tc.startOnly})
				if err != nil {
					t.Fatal(err)
				}
				o.Sources = append([]Source{source}, o.Sources...)
				s := newSyncer(t, o)
				run(t, s)
				time.Sleep(3 * DefaultInterval)
				synctest.Wait()
				got := s.State()
				if gateOf(t, got) != tc.want || got.Err != nil || got.ConsecutiveFailures != 0 {
					t.Errorf("want %s, got %+v", tc.want, got)
				}
				if store.reads != tc.wantReads || len(server.seen()) != tc.wantAsked {
					t.Errorf("want %d reads of the store and %d requests, got %d and %d",
						tc.wantReads, tc.wantAsked, store.reads, len(server.seen()))
				}
			})
		})
	}
}
