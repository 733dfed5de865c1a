package specsync

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
)

const (
	// volumeMagic begins a file of a VolumeStore.
	volumeMagic = "statsig-operator snapshot 1\n"

	volumeSuffix  = ".snapshot"
	volumePattern = ".*.tmp"

	// maxVolumeBytes bounds a file; compressed, nothing that is kept comes near it.
	maxVolumeBytes = maxStoredBytes
)

// VolumeStore is a Store in a directory, one file for each name: complete or not there, since it is renamed into place,
// and readable by its owner only. It is safe for concurrent use, also by several stores of the same name.
type VolumeStore struct {
	directory, name string

	mu      sync.Mutex
	deleted bool
}

var _ Store = (*VolumeStore)(nil)

// volumeName leaves out dots and stars, so that no name's files match another's pattern.
var volumeName = regexp.MustCompile(`^[A-Za-z0-9-]{1,128}$`)

// errDeleted says that a store has been deleted.
var errDeleted = errors.New("the store has been deleted")

// NewVolumeStore returns the store of a name, such as a project's UID, in directory, which is made when it is needed. A
// name has at most 128 letters, digits and dashes.
func NewVolumeStore(directory, name string) (*VolumeStore, error) {
	if directory == "" {
		return nil, errors.New("the directory is empty")
	}
	if !volumeName.MatchString(name) {
		return nil, fmt.Errorf("the name %q does not consist of letters, digits and dashes", name)
	}
	return &VolumeStore{directory: filepath.Clean(directory), name: name}, nil
}

func (v *VolumeStore) path() string { return filepath.Join(v.directory, v.name+volumeSuffix) }

// Load implements [Store].
func (v *VolumeStore) Load(context.Context) (*Stored, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.clean()
	data, err := v.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNothingStored
	case err != nil:
		return nil, err
	}
	return decodeFile(data)
}

func (v *VolumeStore) read() ([]byte, error) {
	info, err := os.Stat(v.path())
	switch {
	case err != nil:
		return nil, err
	// Opening a pipe would block.
	case !info.Mode().IsRegular():
		return nil, malformedError("what is stored is not a regular file")
	case info.Size() > maxVolumeBytes:
		return nil, malformedError("what is stored is larger than anything that is written")
	}
	f, err := os.Open(v.path())
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return data, nil
}

// Save implements [Store].
func (v *VolumeStore) Save(_ context.Context, stored *Stored) error {
	data, err := encodeFile(stored)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.deleted {
		return errDeleted
	}
	if err := os.MkdirAll(v.directory, 0o700); err != nil {
		return err
	}
	return v.replace(data)
}

// replace writes a file beside the one in place and renames it: whenever the machine stops, one of both is there whole.
func (v *VolumeStore) replace(data []byte) (err error) {
	// os.CreateTemp makes files of mode 0600.
	f, err := os.CreateTemp(v.directory, v.name+volumePattern)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), v.path())
	}
	if err == nil {
		err = v.syncDirectory()
	}
	return err
}

// syncDirectory makes a rename last.
func (v *VolumeStore) syncDirectory() error {
	d, err := os.Open(v.directory)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// Delete removes what is stored; Save refuses its work from then on, one under way included.
func (v *VolumeStore) Delete(context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.deleted = true
	v.clean()
	if err := os.Remove(v.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// clean removes what crashes left behind. Where another process is writing, its Save fails and is tried again.
func (v *VolumeStore) clean() {
	leftovers, _ := filepath.Glob(filepath.Join(v.directory, v.name+volumePattern)) // the pattern is a good one
	for _, path := range leftovers {
		_ = os.Remove(path) // what cannot be removed does no harm
	}
}

// encodeFile writes a checksum in front of everything else.
func encodeFile(s *Stored) ([]byte, error) {
	payload, err := encodePayload(s)
	if err != nil {
		return nil, err
	}
	meta := encodeMeta(s)
	const head = len(volumeMagic) + sha256.Size
	file := make([]byte, head, head+binary.MaxVarintLen64+len(meta)+len(payload))
	file = binary.AppendUvarint(file, uint64(len(meta)))
	file = append(append(file, meta...), payload...)
	sum := sha256.Sum256(file[head:])
	copy(file, volumeMagic)
	copy(file[len(volumeMagic):], sum[:])
	return file, nil
}

func decodeFile(file []byte) (*Stored, error) {
	body, found := bytes.CutPrefix(file, []byte(volumeMagic))
	if !found || len(body) < sha256.Size {
		return nil, malformedError("what is stored is no snapshot")
	}
	sum, body := body[:sha256.Size], body[sha256.Size:]
	if want := sha256.Sum256(body); !bytes.Equal(sum, want[:]) {
		return nil, malformedError("what is stored is damaged: its checksum is wrong")
	}
	length, size := binary.Uvarint(body)
	if size <= 0 || length > uint64(len(body)-size) { //nolint:gosec // lengths are not negative
		return nil, malformedError("what is stored ends early")
	}
	body = body[size:]
	stored, err := decodeMeta(body[:length])
	if err != nil {
		return nil, err
	}
	if err := decodePayload(body[length:], stored); err != nil {
		return nil, err
	}
	return stored, nil
}
