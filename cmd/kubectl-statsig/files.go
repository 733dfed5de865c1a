package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// stdinName stands for the standard input where a flag takes a file.
const stdinName = "-"

// displayName is a file's name in messages.
func displayName(name string) string {
	if name == stdinName {
		return "the standard input"
	}
	return name
}

// openFile opens a file, or stdin for "-". Files whose names end in .gz are decompressed. Every error names the file.
func openFile(name string, stdin io.Reader) (io.ReadCloser, error) {
	if name == stdinName {
		return io.NopCloser(stdin), nil
	}
	f, err := os.Open(name) //nolint:gosec // which file is read is for the caller of the command to say
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(name, ".gz") {
		return f, nil
	}
	plain, err := gzip.NewReader(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("decompressing %s: %w", name, err)
	}
	return &gzipFile{plain: plain, file: f}, nil
}

// gzipFile reads what a file holds in compressed form.
type gzipFile struct {
	plain *gzip.Reader
	file  *os.File
}

// Read implements [io.Reader].
func (f *gzipFile) Read(p []byte) (int, error) {
	n, err := f.plain.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("decompressing %s: %w", f.file.Name(), err)
	}
	return n, err
}

// Close closes the file. The decompressor holds nothing that needs to be closed.
func (f *gzipFile) Close() error { return f.file.Close() }

// readFile is openFile for a whole file.
func readFile(name string, stdin io.Reader) ([]byte, error) {
	f, err := openFile(name, stdin)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
