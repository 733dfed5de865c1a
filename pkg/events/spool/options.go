package spool

import (
	"errors"
	"fmt"
	"time"
)

const (
	// MaxRecordBytes bounds the uncompressed data of one record.
	MaxRecordBytes = 8 << 20

	defaultMaxBytes     = 256 << 20
	minMaxBytes         = 64 << 10
	defaultMaxRecords   = 50_000
	maxMaxRecords       = 1_000_000
	defaultMaxDeadBytes = 16 << 20
	maxSegmentBytes     = 4 << 20
	// segmentsPerSpool is how many segments the spool has at least when full: one is what a full spool loses at a time.
	segmentsPerSpool = 16
)

// SyncPolicy says when written records are forced to the disk. It matters when the node dies; records outlive the
// process with any of them.
type SyncPolicy string

// The sync policies.
const (
	// SyncInterval forces records to the disk when [Spool.Sync] is called, which is to happen at an interval: that is
	// how much is lost at most. It is the default.
	SyncInterval SyncPolicy = "Interval"
	// SyncAlways forces each record to the disk before [Spool.Append] returns: nothing appended is lost.
	SyncAlways SyncPolicy = "Always"
	// SyncNever leaves it to the kernel, which commonly takes up to 30 seconds.
	SyncNever SyncPolicy = "Never"
)

// Drop says why records were given up.
type Drop string

// The reasons for which records are given up.
const (
	// DropFull means that newer records needed the room.
	DropFull Drop = "full"
	// DropDamaged means that a record could not be read back.
	DropDamaged Drop = "damaged"
)

// Options configure a [Spool]. Dir is required; the zero value of any other field stands for its default.
type Options struct {
	// Dir is the directory of this spool alone. It is made when missing. Required.
	Dir string
	// Sync says when records are forced to the disk; default [SyncInterval].
	Sync SyncPolicy
	// MaxBytes bounds the files of records, at least 64 KiB; default 256 MiB.
	MaxBytes int64
	// MaxRecords bounds the number of records, and with it the memory for their index at about 150 bytes each; at most
	// 1,000,000, default 50,000.
	MaxRecords int
	// MaxDeadBytes bounds what [Spool.SetAside] keeps; default 16 MiB.
	MaxDeadBytes int64
	// Dropped is told of the events of records that were given up; may be nil. It must be quick and must not call the
	// spool.
	Dropped func(why Drop, events int)
	// FS is the file system; default the operating system's.
	FS FS
}

func (o Options) withDefaults() (Options, error) {
	setDefault(&o.Sync, SyncInterval)
	setDefault(&o.MaxBytes, defaultMaxBytes)
	setDefault(&o.MaxRecords, defaultMaxRecords)
	setDefault(&o.MaxDeadBytes, defaultMaxDeadBytes)
	if o.Dropped == nil {
		o.Dropped = func(Drop, int) {}
	}
	if o.FS == nil {
		o.FS = OS{}
	}
	switch {
	case o.Dir == "":
		return o, errors.New("a directory is required")
	case o.Sync != SyncInterval && o.Sync != SyncAlways && o.Sync != SyncNever:
		return o, fmt.Errorf("sync policy %q is unknown", o.Sync)
	case o.MaxBytes < minMaxBytes:
		return o, fmt.Errorf("MaxBytes is %d, less than %d", o.MaxBytes, minMaxBytes)
	case o.MaxRecords < 1 || o.MaxRecords > maxMaxRecords:
		return o, fmt.Errorf("MaxRecords is %d, not between 1 and %d", o.MaxRecords, maxMaxRecords)
	case o.MaxDeadBytes < 0:
		return o, fmt.Errorf("MaxDeadBytes is %d, negative", o.MaxDeadBytes)
	}
	return o, nil
}

// Validate returns an error that names the field that is out of bounds.
func (o Options) Validate() error {
	_, err := o.withDefaults()
	return err
}

// segmentBytes is the size at which a segment is closed.
func (o Options) segmentBytes() int64 { return min(maxSegmentBytes, o.MaxBytes/segmentsPerSpool) }

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Stats is a snapshot of a spool. Counters begin when it is opened.
type Stats struct {
	// Bytes is the size of the segment files: MaxBytes at most, and a few acknowledgements.
	Bytes int64
	// Segments is the number of segment files.
	Segments int
	// Records and Events count what is kept and not acknowledged.
	Records, Events int
	// WaitingRecords and WaitingEvents count the part of it that nobody holds.
	WaitingRecords, WaitingEvents int
	// Oldest is when the oldest record that is kept was appended; zero when there is none.
	Oldest time.Time
	// Recovered counts the events found when the spool was opened, and those adopted from other spools.
	Recovered int64
	// Corrupted counts stretches of the files that could not be read, at their end excepted.
	Corrupted int64
	// Torn counts the segments that broke off in the middle of a record, as a crash leaves them.
	Torn int64
	// DeadFiles and DeadBytes are what was set aside and is still kept.
	DeadFiles int
	DeadBytes int64
}
