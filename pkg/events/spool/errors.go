package spool

import "errors"

var (
	// ErrLocked means that another process, or another Spool of this one, owns the directory.
	ErrLocked = errors.New("spool is in use by another owner")

	// ErrClosed is returned after [Spool.Close].
	ErrClosed = errors.New("spool is closed")

	// ErrUnsynced means that the disk took records and then failed to keep them. It is unknown which of those written
	// since the last sync without error are there.
	ErrUnsynced = errors.New("disk did not keep what was written")

	// ErrTooLarge means that a record is larger than a spool takes.
	ErrTooLarge = errors.New("record is too large for the spool")
)
