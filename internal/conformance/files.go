package conformance

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// readFile reads a file, decompressed where its name ends in .gz.
func readFile(name string) ([]byte, error) {
	text, err := os.ReadFile(name) //nolint:gosec // which files are read is for the caller to say
	if err != nil || !strings.HasSuffix(name, ".gz") {
		return text, err
	}
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err == nil {
		text, err = io.ReadAll(z)
	}
	if err != nil {
		return nil, fmt.Errorf("decompressing %s: %w", name, err)
	}
	return text, nil
}

// readLines reads the lines of a file, without their ends and without blank ones.
func readLines(name string) ([][]byte, error) {
	text, err := readFile(name)
	if err != nil {
		return nil, err
	}
	var lines [][]byte
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// readJSON reads a file of one JSON value.
func readJSON(name string, v any) error {
	text, err := readFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	return nil
}

// readObjects calls each with the number and the text of every line of a file.
func readObjects[T any](name string, each func(i int, v *T) error) error {
	lines, err := readLines(name)
	if err != nil {
		return err
	}
	for i, line := range lines {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return fmt.Errorf("reading line %d of %s: %w", i+1, name, err)
		}
		if err := each(i, &v); err != nil {
			return fmt.Errorf("line %d of %s: %w", i+1, name, err)
		}
	}
	return nil
}

// glob lists the files in a folder whose names have an ending, by their names without it, sorted.
func glob(ending string, folder ...string) (names, files []string, err error) {
	files, err = filepath.Glob(filepath.Join(append(folder, "*"+ending)...))
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ending))
	}
	return names, files, nil
}

func exists(name string) bool {
	_, err := os.Stat(name) //nolint:gosec // which files there are is for the caller to say
	return err == nil
}
