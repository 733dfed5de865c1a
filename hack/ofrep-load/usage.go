package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what a server has used so far.
type usage struct {
	CPU    time.Duration `json:"cpu"`
	Memory int64         `json:"memory"`
}

// usagePath is where a server of our own tells it.
const usagePath = "/usage"

// serveUsage tells what this process has used. Memory is what the Go runtime holds.
func serveUsage(w http.ResponseWriter, _ *http.Request) {
	var spent syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &spent); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	_ = json.NewEncoder(w).Encode(usage{
		CPU: time.Duration(spent.Utime.Nano() + spent.Stime.Nano()), Memory: int64(memory.Sys - memory.HeapReleased),
	})
}

// usage is what the server has used so far; nil for one that can't be asked.
func (t *target) usage(ctx context.Context) *usage {
	if t.pid > 0 {
		return processUsage(t.pid)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.address+usagePath, http.NoBody)
	if err != nil || t.tls {
		return nil
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	u := &usage{}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<10)).Decode(u); err != nil || response.StatusCode != http.StatusOK {
		return nil
	}
	return u
}

const (
	// ticksPerSecond is what Linux counts CPU time in, on all its common processors.
	ticksPerSecond = 100
	// Fields of /proc/PID/stat, counted from the one behind the program's name.
	userTime, systemTime, residentPages = 11, 12, 21
)

// processUsage reads what Linux knows of a process.
func processUsage(pid int) *usage {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) <= residentPages {
		return nil
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(fields[i], 10, 64) // a number, as Linux writes it
		return n
	}
	return &usage{
		CPU:    time.Duration(number(userTime)+number(systemTime)) * time.Second / ticksPerSecond,
		Memory: number(residentPages) * int64(os.Getpagesize()),
	}
}
