package main

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// sink is a server that counts events by what the requests announce, and throws them away.
type sink struct {
	server http.Server
	url    string
	events atomic.Int64
}

func newSink() (*sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{url: "http://" + listener.Addr().String()}
	s.server = http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	n, _ := strconv.Atoi(r.Header.Get("Statsig-Event-Count"))
	s.events.Add(int64(n))
	_, _ = io.WriteString(w, `{"success":true}`)
}

func (s *sink) reset() { s.events.Store(0) }

func (s *sink) close() { _ = s.server.Close() }
