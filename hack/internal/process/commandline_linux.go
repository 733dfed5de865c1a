package process

import (
	"errors"
	"os"
	"strconv"
	"strings"
)

var errEnded = errors.New("process has ended")

// commandLine returns the arguments a process was started with. A process that
// has ended but was not yet collected by its parent has none.
func commandLine(pid int) ([]string, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, errEnded
	}
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00"), nil
}

// normalize brings recorded arguments to the form commandLine returns.
func normalize(args []string) []string { return args }
