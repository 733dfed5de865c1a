package controllers

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

const (
	storedUID         = "0b0c7d0e-7f0c-4d5e-8d0a-1f2e3d4c5b6a"
	snapshotNamespace = "statsig-system"
)

func storedProject() *v1alpha1.StatsigProject {
	project := newProject("stored").Obj()
	project.UID = storedUID
	return project
}

// storedSpecs is a snapshot of this many bytes, which cannot be compressed; the seed makes it another one.
func storedSpecs(seed byte, bytes int) *specsync.Stored {
	document := make([]byte, bytes)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(document)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &specsync.Stored{
		Scope: "scope", Document: string(document), Time: int64(seed), Origin: specsync.OriginNetwork, ReceivedAt: at, ConfirmedAt: at,
	}
}

// writeLog counts what is written to Secrets and makes one write fail.
type writeLog struct {
	client.WithWatch
	writes []string
	// failAt is the number of the write that fails, 0 for none; applied says that only its answer is lost.
	failAt  int
	applied bool
}

var errCut = errors.New("the connection was cut")

func logWrites(c client.WithWatch) *writeLog {
	l := &writeLog{}
	fails := func(verb, name string, write func() error) error {
		l.writes = append(l.writes, verb+" "+name)
		if len(l.writes) != l.failAt {
			return write()
		}
		if l.applied {
			if err := write(); err != nil {
				return err
			}
		}
		return errCut
	}
	l.WithWatch = interceptor.NewClient(c, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			name := o.(interface{ GetName() *string }).GetName()
			return fails("apply", *name, func() error { return c.Apply(ctx, o, options...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.DeleteOption) error {
			return fails("delete", o.GetName(), func() error { return c.Delete(ctx, o, options...) })
		},
	})
	return l
}

// chunkSize is the size of chunks in tests, which write many.
const chunkSize = 1000

// secretStore cuts snapshots into chunks of chunkSize.
func secretStore(c client.WithWatch) *SecretStore {
	s := NewSecretStore(c, c, snapshotNamespace, storedProject())
	s.chunkBytes = chunkSize
	return s
}

func secretsIn(t *testing.T, c client.Client) []corev1.Secret {
	t.Helper()
	list := &corev1.SecretList{}
	if err := c.List(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func wantStoredSpecs(t *testing.T, store *SecretStore, want *specsync.Stored) {
	t.Helper()
	got, err := store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(specsync.Stored{})); diff != "" {
		t.Errorf("stored (-want +got):\n%.300s", diff)
	}
}

func TestASecretStoreKeepsWhatItIsGiven(t *testing.T) {
	for name, tc := range map[string]struct {
		bytes, wantSecrets int
	}{
		"In one Secret":  {bytes: 100, wantSecrets: 1},
		"In three of it": {bytes: 2 * chunkSize, wantSecrets: 3},
	} {
		t.Run(name, func(t *testing.T) {
			c := fakeCluster(t)
			if _, err := secretStore(c).Load(t.Context()); !errors.Is(err, specsync.ErrNothingStored) {
				t.Errorf("an empty store: want ErrNothingStored, got %v", err)
			}
			want := storedSpecs(1, tc.bytes)
			if err := secretStore(c).Save(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			wantStoredSpecs(t, secretStore(c), want)
			secrets := secretsIn(t, c)
			if len(secrets) != tc.wantSecrets {
				t.Errorf("Secrets: want %d, got %d", tc.wantSecrets, len(secrets))
			}
			for i := range secrets {
				s := &secrets[i]
				if s.Namespace != snapshotNamespace || s.Labels[v1alpha1.ManagedByLabel] != v1alpha1.ManagedByValue || s.Type != snapshotType {
					t.Errorf("Secret %s/%s: labels %v, type %s", s.Namespace, s.Name, s.Labels, s.Type)
				}
				if s.Size() > corev1.MaxSecretSize || len(s.Name) > 63 || strings.Contains(s.Name, storedUID) {
					t.Errorf("Secret %s has %d bytes", s.Name, s.Size())
				}
			}
		})
	}
}

// TestNewTimesCostOneWrite saves the same specs again, confirmed later, and then other specs.
func TestNewTimesCostOneWrite(t *testing.T) {
	log := logWrites(fakeCluster(t))
	store := secretStore(log)
	stored := storedSpecs(1, 2*chunkSize)
	if err := store.Save(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	head := store.headName()
	if got := log.writes[len(log.writes)-1]; got != "apply "+head || len(log.writes) != 3 {
		t.Errorf("want the first Secret written last, got %v", log.writes)
	}
	log.writes = nil
	later := *stored
	later.ConfirmedAt = later.ConfirmedAt.Add(time.Hour)
	if err := store.Save(t.Context(), &later); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"apply " + head}, log.writes); diff != "" {
		t.Errorf("writes for the time alone (-want +got):\n%s", diff)
	}
	wantStoredSpecs(t, store, &later)
	small := storedSpecs(2, 100)
	if err := store.Save(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	if secrets := secretsIn(t, log); len(secrets) != 1 {
		t.Errorf("want the chunks of the former generation deleted, %d Secrets are left", len(secrets))
	}
	wantStoredSpecs(t, store, small)
}

// TestACrashAtAnyWriteLeavesOneOfBoth cuts the connection at each write that replaces one snapshot by another, and goes on with
// another process.
func TestACrashAtAnyWriteLeavesOneOfBoth(t *testing.T) {
	old, next := storedSpecs(1, 2*chunkSize), storedSpecs(2, 3*chunkSize)
	for at := 1; ; at++ {
		reached := false
		for _, applied := range []bool{false, true} {
			log := logWrites(fakeCluster(t))
			if err := secretStore(log).Save(t.Context(), old); err != nil {
				t.Fatal(err)
			}
			log.writes, log.failAt, log.applied = nil, at, applied
			err := secretStore(log).Save(t.Context(), next)
			if reached = len(log.writes) >= at; !reached {
				break
			}
			if !errors.Is(err, errCut) {
				t.Errorf("write %d: want the error told, got %v", at, err)
			}
			committed := slices.Index(log.writes, "apply "+secretStore(log).headName()) + 1
			want := old
			if committed > 0 && (at > committed || applied) {
				want = next
			}
			after := secretStore(log)
			wantStoredSpecs(t, after, want)
			log.failAt = 0
			if err := after.Save(t.Context(), next); err != nil {
				t.Errorf("the save after write %d: %v", at, err)
			}
			wantStoredSpecs(t, secretStore(log), next)
			if n := len(secretsIn(t, log)); n != 4 {
				t.Errorf("after write %d: want 4 Secrets in the end, got %d", at, n)
			}
		}
		if !reached {
			// Three chunks beside the first Secret, that one, and two chunks to delete.
			if at != 7 {
				t.Errorf("want 6 writes, got %d", at-1)
			}
			return
		}
	}
}

func TestDamagedSecretsAreReportedAndMended(t *testing.T) {
	chunk := func(t *testing.T, c client.Client, first bool) *corev1.Secret {
		t.Helper()
		for _, s := range secretsIn(t, c) {
			if strings.HasSuffix(s.Name, "-1") != first {
				return &s
			}
		}
		t.Fatal("there is no such Secret")
		return nil
	}
	for name, damage := range map[string]func(t *testing.T, c client.Client) error{
		"A chunk that is gone": func(t *testing.T, c client.Client) error {
			t.Helper()
			return c.Delete(t.Context(), chunk(t, c, false))
		},
		"A chunk that changed": func(t *testing.T, c client.Client) error {
			t.Helper()
			s := chunk(t, c, false)
			s.Data[snapshotChunkKey][0] ^= 1
			return c.Update(t.Context(), s)
		},
		"A number of chunks that makes no sense": func(t *testing.T, c client.Client) error {
			t.Helper()
			s := chunk(t, c, true)
			s.Data[snapshotCountKey] = []byte("1000000")
			return c.Update(t.Context(), s)
		},
		"A first Secret without content": func(t *testing.T, c client.Client) error {
			t.Helper()
			s := chunk(t, c, true)
			s.Data = nil
			return c.Update(t.Context(), s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := fakeCluster(t)
			want := storedSpecs(1, chunkSize)
			if err := secretStore(c).Save(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			if err := damage(t, c); err != nil {
				t.Fatal(err)
			}
			store := secretStore(c)
			if _, err := store.Load(t.Context()); !errors.Is(err, specsync.ErrMalformed) {
				t.Fatalf("want ErrMalformed, got %v", err)
			}
			if err := store.Save(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			wantStoredSpecs(t, secretStore(c), want)
		})
	}
}

func TestForeignSecretsAreNotTouched(t *testing.T) {
	store := NewSecretStore(nil, nil, snapshotNamespace, storedProject())
	foreign := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: snapshotNamespace, Name: store.headName()}, Data: map[string][]byte{"password": []byte("x")},
	}
	other := foreign.DeepCopy()
	other.Name, other.Labels = "statsig-snapshot-other", map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, snapshotLabel: "other"}
	log := logWrites(fakeCluster(t, foreign, other))
	store = secretStore(log)
	if err := store.Save(t.Context(), storedSpecs(1, 100)); err == nil || !strings.Contains(err.Error(), "belongs to somebody else") {
		t.Errorf("saving: got %v", err)
	}
	if _, err := store.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "belongs to somebody else") {
		t.Errorf("loading: got %v", err)
	}
	if err := store.Delete(t.Context()); err != nil {
		t.Errorf("deleting: %v", err)
	}
	if len(log.writes) != 0 {
		t.Errorf("writes: %v", log.writes)
	}
}

func TestADeletedSecretStoreStaysEmpty(t *testing.T) {
	log := logWrites(fakeCluster(t))
	store := secretStore(log)
	if err := store.Save(t.Context(), storedSpecs(1, 2*chunkSize)); err != nil {
		t.Fatal(err)
	}
	log.writes, log.failAt = nil, 2
	if err := store.Delete(t.Context()); !errors.Is(err, errCut) {
		t.Errorf("want the error told, got %v", err)
	}
	if log.writes[0] != "delete "+store.headName() {
		t.Errorf("want the first Secret deleted first, got %v", log.writes)
	}
	if err := store.Delete(t.Context()); err != nil {
		t.Errorf("deleting again: %v", err)
	}
	if secrets := secretsIn(t, log); len(secrets) != 0 {
		t.Errorf("%d Secrets are left", len(secrets))
	}
	if err := store.Save(t.Context(), storedSpecs(1, 100)); !errors.Is(err, errSnapshotDeleted) {
		t.Errorf("saving afterwards: want errSnapshotDeleted, got %v", err)
	}
}

func TestWhatIsTooLargeForSecretsIsNotStored(t *testing.T) {
	c := fakeCluster(t)
	if err := secretStore(c).Save(t.Context(), storedSpecs(1, 16*chunkSize)); !errors.Is(err, specsync.ErrTooLarge) {
		t.Errorf("want ErrTooLarge, got %v", err)
	}
	if secrets := secretsIn(t, c); len(secrets) != 0 {
		t.Errorf("%d Secrets were written", len(secrets))
	}
}
