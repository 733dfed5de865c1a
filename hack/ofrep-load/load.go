package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// target is the server that is measured.
type target struct {
	address, host, prefix, token string
	tls                          bool
	pid                          int
}

func newTarget(base string, o *options) (*target, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	t := &target{
		address: u.Host, host: u.Host, prefix: strings.TrimSuffix(u.Path, "/"), token: o.token, tls: u.Scheme == "https", pid: o.pid,
	}
	if u.Port() == "" {
		t.address = net.JoinHostPort(u.Host, map[bool]string{true: "443", false: "80"}[t.tls])
	}
	return t, nil
}

// result is what was measured.
type result struct {
	requests     int
	elapsed      time.Duration
	p50, p99     time.Duration
	before, used *usage // nil for a server that does not say
}

func (r *result) rate() float64 { return float64(r.requests) / r.elapsed.Seconds() }

func (r *result) perRequest() string {
	if r.used == nil || r.before == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f µs", float64((r.used.CPU-r.before.CPU).Nanoseconds())/float64(r.requests)/1000)
}

func (r *result) memory() string {
	if r.used == nil {
		return "-"
	}
	return fmt.Sprintf("%d MB", r.used.Memory>>20)
}

// measure asks over some connections at once, each of which sends its next request when the last was answered.
func (t *target) measure(ctx context.Context, s scenario, connections int, duration time.Duration) (*result, error) {
	request, err := t.request(ctx, s)
	if err != nil {
		return nil, err
	}
	r := &result{before: t.usage(ctx)}
	ctx, cancel := context.WithTimeout(ctx, duration+time.Minute)
	defer cancel()
	type outcome struct {
		took []time.Duration
		err  error
	}
	outcomes := make(chan outcome)
	start := time.Now()
	for range connections {
		go func() {
			took, err := t.ask(ctx, request, s.status(), start.Add(duration))
			outcomes <- outcome{took, err}
		}()
	}
	var all []time.Duration
	for range connections {
		o := <-outcomes
		err = errors.Join(err, o.err)
		all = append(all, o.took...)
	}
	if err != nil {
		return nil, err
	}
	r.elapsed, r.requests = time.Since(start), len(all)
	r.used = t.usage(ctx)
	slices.Sort(all)
	r.p50, r.p99 = all[len(all)/2], all[len(all)*99/100]
	return r, nil
}

// request writes a request out, once for all.
func (t *target) request(ctx context.Context, s scenario) ([]byte, error) {
	text := t.text(s, "")
	if !s.tagged {
		return text, nil
	}
	c, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write(text); err != nil {
		return nil, err
	}
	a, err := readAnswer(bufio.NewReader(c))
	if err != nil {
		return nil, err
	}
	return t.text(s, a.tag), nil
}

func (t *target) text(s scenario, tag string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s/ofrep/v1/evaluate/flags%s HTTP/1.1\r\nHost: %s\r\n", t.prefix, s.path, t.host)
	fmt.Fprintf(&b, "Content-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n", len(s.body))
	if t.token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", t.token)
	}
	if tag != "" {
		fmt.Fprintf(&b, "If-None-Match: %s\r\n", tag)
	}
	fmt.Fprintf(&b, "\r\n%s", s.body)
	return b.Bytes()
}

func (t *target) dial(ctx context.Context) (net.Conn, error) {
	if !t.tls {
		return (&net.Dialer{}).DialContext(ctx, "tcp", t.address)
	}
	// Certificates of trial servers are their own.
	return (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", t.address)
}

// ask sends a request again and again over one connection, once at least, and returns how long each answer took.
func (t *target) ask(ctx context.Context, request []byte, status int, until time.Time) ([]time.Duration, error) {
	c, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	in := bufio.NewReaderSize(c, 64<<10)
	var took []time.Duration
	for now := time.Now(); len(took) == 0 || now.Before(until); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := c.Write(request); err != nil {
			return nil, err
		}
		a, err := readAnswer(in)
		if err != nil {
			return nil, err
		}
		if a.status != status {
			return nil, fmt.Errorf("%w %d, want %d", errStatus, a.status, status)
		}
		next := time.Now()
		took = append(took, next.Sub(now))
		now = next
	}
	return took, nil
}

// answer is what counts of an answer.
type answer struct {
	status int
	tag    string
}

// readAnswer reads an answer that says its length. It does less than net/http would, so as to leave the machine to the
// server.
func readAnswer(in *bufio.Reader) (a answer, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return a, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return a, fmt.Errorf("no status line: %q", line)
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, err
	}
	length := -1
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return a, err
		}
		name, value, found := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		switch {
		case !found:
			if length < 0 && a.status != http.StatusNotModified {
				return a, errors.New("the answer does not say its length")
			}
			_, err := in.Discard(max(length, 0))
			return a, err
		case string(name) == "Content-Length":
			if length, err = strconv.Atoi(string(value)); err != nil {
				return a, err
			}
		case string(name) == "Etag":
			a.tag = string(value)
		}
	}
}
