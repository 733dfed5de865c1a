package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	specsync "github.com/statsig-operator/statsig-operator/pkg/sync"
)

const (
	// snapshotLabel holds the hash of the UID of the project whose snapshot a Secret keeps.
	snapshotLabel = "flags.statsig-operator.dev/snapshot"
	// snapshotProject is the annotation that holds namespace and name of that project.
	snapshotProject = "flags.statsig-operator.dev/project"
	// snapshotType is the type of these Secrets, so that they are easily told from those that people made.
	snapshotType corev1.SecretType = "flags.statsig-operator.dev/snapshot"

	// snapshotChunkBytes leaves room below the 1 MiB that a Secret may have.
	snapshotChunkBytes = 900 << 10
	// snapshotMaxChunks bounds what one project may ask of etcd, at some 14 MiB compressed.
	snapshotMaxChunks = 16
)

// The keys of these Secrets. All but snapshotChunkKey are in the first one only.
const (
	snapshotChunkKey      = "chunk"
	snapshotCountKey      = "chunks"
	snapshotGenerationKey = "generation"
	snapshotMetaKey       = "meta"
	snapshotSumKey        = "sum"
)

var secretKind = corev1.SchemeGroupVersion.WithKind("Secret")

var errSnapshotDeleted = errors.New("the project's snapshot has been deleted")

// SecretStore keeps a project's last good specs and ID lists in Secrets. The first of them describes the whole and holds the first
// chunk; the others, which larger projects need, carry their generation in the name and are written before it. So whenever a writer
// stops, the first Secret names chunks that are all there. It is safe for concurrent use.
type SecretStore struct {
	client    client.Client
	live      client.Reader
	namespace string
	// uidHash stands for the project, whose name may be reused.
	uidHash string
	project types.NamespacedName
	// chunkBytes is snapshotChunkBytes, but for tests.
	chunkBytes int
	// leads reports whether this process is the one that writes; nil means that there is no other.
	leads func() bool

	mu sync.Mutex
	// stoodBy says that another process was to write what was to be saved last, so it may be there already.
	stoodBy bool
	// damaged says that the chunks must be written even if they seem to be there.
	damaged bool
	deleted bool
}

var _ specsync.Store = (*SecretStore)(nil)

// NewSecretStore returns a project's store. It writes with c, reads with live, which must not be a cache, and touches Secrets in
// namespace only.
func NewSecretStore(c client.Client, live client.Reader, namespace string, project *v1alpha1.StatsigProject) *SecretStore {
	return &SecretStore{
		client: c, live: live, namespace: namespace, uidHash: hashUID(project.UID), project: client.ObjectKeyFromObject(project),
		chunkBytes: snapshotChunkBytes,
	}
}

func hashUID(uid types.UID) string {
	sum := sha256.Sum256([]byte(uid))
	return hex.EncodeToString(sum[:8])
}

func (s *SecretStore) headName() string { return "statsig-snapshot-" + s.uidHash }

func (s *SecretStore) chunkName(generation string, index int) string {
	return fmt.Sprintf("%s-%s-%d", s.headName(), generation, index)
}

// Load implements [specsync.Store].
func (s *SecretStore) Load(ctx context.Context) (*specsync.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head, err := s.get(ctx, s.headName())
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, specsync.ErrNothingStored
	}
	chunks, err := s.collect(ctx, head)
	if err != nil {
		s.damaged = errors.Is(err, specsync.ErrMalformed)
		return nil, err
	}
	stored, err := specsync.Join(chunks)
	s.damaged = err != nil
	return stored, err
}

// collect reads the chunks that head names.
func (s *SecretStore) collect(ctx context.Context, head *corev1.Secret) (*specsync.Chunks, error) {
	count, err := strconv.Atoi(string(head.Data[snapshotCountKey]))
	if err != nil || count < 1 || count > snapshotMaxChunks {
		return nil, fmt.Errorf("reading Secret %s: %w: the number of chunks makes no sense", head.Name, specsync.ErrMalformed)
	}
	chunks := &specsync.Chunks{
		Generation: string(head.Data[snapshotGenerationKey]), Meta: head.Data[snapshotMetaKey],
		Sum: string(head.Data[snapshotSumKey]), Chunks: [][]byte{head.Data[snapshotChunkKey]},
	}
	for i := 1; i < count; i++ {
		name := s.chunkName(chunks.Generation, i)
		chunk, err := s.get(ctx, name)
		if err != nil {
			return nil, err
		}
		if chunk == nil {
			return nil, fmt.Errorf("reading Secret %s: %w: it is gone", name, specsync.ErrMalformed)
		}
		chunks.Chunks = append(chunks.Chunks, chunk.Data[snapshotChunkKey])
	}
	return chunks, nil
}

// get returns a Secret of the store, nil when it is not there. Somebody else's is an error.
func (s *SecretStore) get(ctx context.Context, name string) (*corev1.Secret, error) {
	found := &corev1.Secret{}
	err := s.live.Get(ctx, types.NamespacedName{Namespace: s.namespace, Name: name}, found)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading Secret %s/%s: %w", s.namespace, name, err)
	case found.Labels[v1alpha1.ManagedByLabel] != v1alpha1.ManagedByValue || found.Labels[snapshotLabel] != s.uidHash:
		return nil, fmt.Errorf("the Secret %s/%s belongs to somebody else and was not touched", s.namespace, name)
	default:
		return found, nil
	}
}

// Save implements [specsync.Store]. Where there is no room for the ID lists, the specs are stored without them, and the
// error matches [specsync.ErrTooLarge] all the same. Unless this process leads, nothing is written. When it comes to
// lead, what its predecessor has stored is left as it is.
func (s *SecretStore) Save(ctx context.Context, stored *specsync.Stored) error {
	if s.standsBy() {
		return specsync.ErrStandby
	}
	chunks, tooLarge, err := s.split(stored)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deleted {
		return errSnapshotDeleted
	}
	if s.stoodBy {
		held, err := s.holds(ctx, stored.Scope, chunks.Generation)
		if err != nil {
			return err
		}
		s.stoodBy = false
		if held {
			return tooLarge
		}
	}
	if err := s.write(ctx, chunks); err != nil {
		return err
	}
	s.damaged = false
	return tooLarge
}

// standsBy reports, and notes, that another process is the one that writes.
func (s *SecretStore) standsBy() bool {
	if s.leads == nil || s.leads() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stoodBy = true
	return true
}

// holds reports whether the Secrets keep this content for this scope, whatever the times beside it.
func (s *SecretStore) holds(ctx context.Context, scope, generation string) (bool, error) {
	head, err := s.get(ctx, s.headName())
	if err != nil || head == nil || string(head.Data[snapshotGenerationKey]) != generation {
		return false, err
	}
	kept := &specsync.Stored{}
	chunks, err := s.collect(ctx, head)
	if err == nil {
		kept, err = specsync.Join(chunks)
	}
	switch {
	case errors.Is(err, specsync.ErrMalformed):
		s.damaged = true
		return false, nil
	case err != nil:
		return false, err
	default:
		return kept.Scope == scope, nil
	}
}

// split leaves the ID lists out where there is no room for them, and says so in tooLarge.
func (s *SecretStore) split(stored *specsync.Stored) (chunks *specsync.Chunks, tooLarge, err error) {
	chunks, err = specsync.Split(stored, s.chunkBytes, snapshotMaxChunks)
	if err == nil || stored.IDs() == 0 {
		return chunks, nil, err
	}
	tooLarge = fmt.Errorf("leaving out the ID lists: %w", err)
	chunks, err = specsync.Split(stored.WithoutIDLists(), s.chunkBytes, snapshotMaxChunks)
	return chunks, tooLarge, err
}

// write writes the chunks that are not there, then the first Secret, which makes them count, and then removes the chunks of former
// generations.
func (s *SecretStore) write(ctx context.Context, chunks *specsync.Chunks) error {
	existing, err := s.names(ctx)
	if err != nil {
		return err
	}
	wanted := map[string]bool{s.headName(): true}
	for i, chunk := range chunks.Chunks[1:] {
		name := s.chunkName(chunks.Generation, i+1)
		wanted[name] = true
		if existing[name] && !s.damaged {
			continue
		}
		if err := s.apply(ctx, name, map[string][]byte{snapshotChunkKey: chunk}); err != nil {
			return err
		}
	}
	err = s.apply(ctx, s.headName(), map[string][]byte{
		snapshotChunkKey: chunks.Chunks[0], snapshotCountKey: []byte(strconv.Itoa(len(chunks.Chunks))),
		snapshotGenerationKey: []byte(chunks.Generation), snapshotMetaKey: chunks.Meta, snapshotSumKey: []byte(chunks.Sum),
	})
	if err != nil {
		return err
	}
	for name := range existing {
		if wanted[name] {
			continue
		}
		if err := s.remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// names lists the store's Secrets without their content.
func (s *SecretStore) names(ctx context.Context) (map[string]bool, error) {
	list := metadataListOf(secretKind)
	ours := client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, snapshotLabel: s.uidHash}
	if err := s.live.List(ctx, list, client.InNamespace(s.namespace), ours); err != nil {
		return nil, fmt.Errorf("listing Secrets in %s: %w", s.namespace, err)
	}
	names := make(map[string]bool, len(list.Items))
	for i := range list.Items {
		names[list.Items[i].Name] = true
	}
	return names, nil
}

// apply writes one Secret. Force is used only where it is known to be the store's.
func (s *SecretStore) apply(ctx context.Context, name string, data map[string][]byte) error {
	existing, err := s.get(ctx, name)
	if err != nil {
		return err
	}
	desired := corev1ac.Secret(name, s.namespace).
		WithLabels(map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, snapshotLabel: s.uidHash}).
		WithAnnotations(map[string]string{snapshotProject: s.project.String()}).
		WithType(snapshotType).
		WithData(data)
	options := []client.ApplyOption{client.FieldOwner(fieldOwner)}
	if existing != nil {
		options = append(options, client.ForceOwnership)
	}
	if err := s.client.Apply(ctx, desired, options...); err != nil {
		return fmt.Errorf("applying Secret %s/%s: %w", s.namespace, name, err)
	}
	return nil
}

func (s *SecretStore) remove(ctx context.Context, name string) error {
	object := metadataOf(secretKind)
	object.Namespace, object.Name = s.namespace, name
	if err := s.client.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting Secret %s/%s: %w", s.namespace, name, err)
	}
	return nil
}

// Delete removes all of the project's Secrets, which is left to the process that leads; Save refuses its work from then
// on.
func (s *SecretStore) Delete(ctx context.Context) error {
	standsBy := s.standsBy()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deleted = true; standsBy {
		return nil
	}
	names, err := s.names(ctx)
	if err != nil {
		return err
	}
	var errs []error
	// Without the first one the others mean nothing, whatever becomes of them.
	if names[s.headName()] {
		errs = append(errs, s.remove(ctx, s.headName()))
		delete(names, s.headName())
	}
	for name := range names {
		errs = append(errs, s.remove(ctx, name))
	}
	return errors.Join(errs...)
}
