//go:build !linux

package process

import (
	"os/exec"
	"strconv"
	"strings"
)

// commandLine returns the arguments a process was started with, split at
// spaces: ps does not say where one argument ends.
func commandLine(pid int) ([]string, error) {
	out, err := exec.Command("ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(out)), nil
}

// normalize brings recorded arguments to the form commandLine returns.
func normalize(args []string) []string { return strings.Fields(strings.Join(args, " ")) }
