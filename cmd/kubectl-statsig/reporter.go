package main

import (
	"fmt"
	"io"
)

// reporter tells people what went wrong while the command goes on.
type reporter struct {
	out    io.Writer
	failed bool
}

// warning reports what doesn't count as a failure: the SDKs accept it, too.
func (r *reporter) warning(format string, args ...any) {
	fmt.Fprintf(r.out, "warning: "+format+"\n", args...)
}

func (r *reporter) error(format string, args ...any) {
	r.failed = true
	fmt.Fprintf(r.out, "error: "+format+"\n", args...)
}

// result is the command's error.
func (r *reporter) result() error {
	if r.failed {
		return errReported
	}
	return nil
}
