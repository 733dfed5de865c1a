package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Lock takes a lock that lives in a file, which is created if need be, and
// returns a function that gives it back. If another process holds it, Lock calls
// waiting once and blocks. The lock ends with this process in any case.
func Lock(file string, waiting func()) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening lock file: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		waiting()
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", file, err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}
