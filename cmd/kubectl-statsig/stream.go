package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

const (
	// maxUserLength bounds a line of a users file.
	maxUserLength = 16 << 20
	// jobsPerWorker bounds the users that are read but not yet written, and so the memory: few, as users that take long
	// to evaluate also have long answers, but enough that workers don't wait for a slow neighbour.
	jobsPerWorker = 8

	fileBuffer = 64 << 10
)

// printer answers for users. A printer belongs to one goroutine.
type printer interface {
	// appendUser appends the lines for the user on line u of the users file, counted from 0.
	appendUser(dst []byte, u int, user *eval.User) []byte
}

// userStream answers for every user of a file, in parallel and in the file's order, and holds a bounded number of them
// at any time. Lines that are no user are reported, and the others still answered.
type userStream struct {
	users io.Reader
	out   *bufio.Writer
	// newPrinter makes the printer of one worker.
	newPrinter func() printer
	// report takes one user's error. It is called in the file's order.
	report func(line int, err error)

	// free holds the jobs not in use, work those to be answered, ordered all that were read, in the file's order. Each
	// has room for all jobs, so that only taking a free one can block.
	free, work, ordered chan *job
	// stopped is closed when nothing can be written any more.
	stopped chan struct{}
}

// job is one line on its way. It is reused.
type job struct {
	u    int
	line []byte
	// err is why there is no answer: set by the reader or else by the worker.
	err    error
	answer []byte
	done   chan struct{}
}

// run returns when every user is answered, or with the first error that makes it impossible.
func (s *userStream) run(workers int) error {
	jobs := workers * jobsPerWorker
	s.free, s.work, s.ordered = make(chan *job, jobs), make(chan *job, jobs), make(chan *job, jobs)
	s.stopped = make(chan struct{})
	for range jobs {
		s.free <- &job{done: make(chan struct{}, 1)}
	}
	var (
		goroutines sync.WaitGroup
		writeErr   error
	)
	for range workers {
		goroutines.Go(s.answer)
	}
	goroutines.Go(func() { writeErr = s.write() })
	readErr := s.read()
	close(s.work)
	close(s.ordered)
	goroutines.Wait()
	if writeErr != nil {
		return fmt.Errorf("writing answers: %w", writeErr)
	}
	if readErr != nil {
		return fmt.Errorf("reading users: %w", readErr)
	}
	return nil
}

// read turns lines into jobs.
func (s *userStream) read() error {
	in := bufio.NewReaderSize(s.users, fileBuffer)
	for u := 0; ; u++ {
		var j *job
		select {
		case <-s.stopped:
			return nil
		case j = <-s.free:
		}
		line, err := readLine(in, j.line[:0])
		j.u, j.line, j.err = u, line, nil
		switch {
		case errors.Is(err, errLongLine):
			j.err = err
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case len(bytes.TrimSpace(line)) == 0:
			s.free <- j
			continue
		}
		s.ordered <- j
		s.work <- j
	}
}

// answer is one worker.
func (s *userStream) answer() {
	p := s.newPrinter()
	for j := range s.work {
		j.answer = j.answer[:0]
		if j.err == nil {
			var user *eval.User
			if user, j.err = eval.ParseUser(j.line); j.err == nil {
				j.answer = p.appendUser(j.answer, j.u, user)
			}
		}
		j.done <- struct{}{}
	}
}

// write writes the answers in order. They don't stay in the buffer while the next user is awaited.
func (s *userStream) write() error {
	for j := range s.ordered {
		<-j.done
		if j.err != nil {
			s.report(j.u+1, j.err)
		} else if _, err := s.out.Write(j.answer); err != nil {
			close(s.stopped)
			return err
		}
		s.free <- j
		if len(s.ordered) == 0 {
			if err := s.out.Flush(); err != nil {
				close(s.stopped)
				return err
			}
		}
	}
	return s.out.Flush()
}

var errLongLine = fmt.Errorf("longer than %d bytes", maxUserLength)

// readLine appends the next line to dst. The error is errLongLine, after which the next line can be read, io.EOF, or
// that of in.
func readLine(in *bufio.Reader, dst []byte) ([]byte, error) {
	long := false
	for {
		part, err := in.ReadSlice('\n')
		if long = long || len(dst)+len(part) > maxUserLength; !long {
			dst = append(dst, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return dst, err
		case long:
			return dst, errLongLine
		case err != nil && len(dst) > 0:
			return dst, nil // the last line has no line break
		default:
			return dst, err
		}
	}
}
