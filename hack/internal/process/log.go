package process

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// tailBytes bounds how much of a log is read to find its last lines.
const tailBytes = 64 << 10

// LogFile returns the file that holds what a program printed.
func LogFile(dir, name string) string { return filepath.Join(dir, name+".log") }

// LogTail returns the last lines a program printed, oldest first.
func LogTail(dir, name string, lines int) ([]string, error) {
	f, err := os.Open(LogFile(dir, name))
	if err != nil {
		return nil, fmt.Errorf("reading the log of %s: %w", name, err)
	}
	defer func() { _ = f.Close() }()

	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the log of %s: %w", name, err)
	}
	offset := max(0, info.Size()-tailBytes)
	data, err := io.ReadAll(io.NewSectionReader(f, offset, tailBytes))
	if err != nil {
		return nil, fmt.Errorf("reading the log of %s: %w", name, err)
	}

	text := strings.TrimRight(string(data), "\n")
	if text == "" {
		return nil, nil
	}
	all := strings.Split(text, "\n")
	return all[max(0, len(all)-lines):], nil
}
