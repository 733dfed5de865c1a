package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// server is the part of Statsig that the SDK talks to, on loopback. It hands out one document at a time.
type server struct {
	URL     string
	http    *http.Server
	decoder *zstd.Decoder

	mu       sync.Mutex
	document []byte
	idLists  map[string]string
	events   []json.RawMessage
	err      error // the first failure in reading events
}

// start listens until close.
func start() (*server, error) {
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		return nil, fmt.Errorf("making a decoder: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{URL: "http://" + listener.Addr().String(), decoder: decoder}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.http.Serve(listener) }()
	return s, nil
}

func (s *server) close() { _ = s.http.Close() }

// serve hands out another document from now on, and forgets the events so far.
func (s *server) serve(document []byte, idLists map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.document, s.idLists, s.events, s.err = document, idLists, nil, nil
}

// received returns the events since serve.
func (s *server) received() ([]json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events, s.err
}

// ServeHTTP implements [http.Handler].
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasPrefix(r.URL.Path, "/v2/download_config_specs/"):
		_, _ = w.Write(s.document)
	case r.URL.Path == "/v1/get_id_lists":
		manifest := map[string]any{}
		for name, body := range s.idLists {
			manifest[name] = map[string]any{
				"name": name, "size": len(body), "url": s.URL + "/list/" + name, "fileID": "1", "creationTime": 1,
			}
		}
		_ = json.NewEncoder(w).Encode(manifest)
	case strings.HasPrefix(r.URL.Path, "/list/"):
		_, _ = io.WriteString(w, s.idLists[path.Base(r.URL.Path)])
	case r.URL.Path == "/v1/log_event":
		if err := s.log(r); err != nil && s.err == nil {
			s.err = err
		}
		_, _ = io.WriteString(w, `{"success":true}`)
	default:
		http.NotFound(w, r)
	}
}

func (s *server) log(r *http.Request) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	if r.Header.Get("Content-Encoding") == "zstd" {
		if text, err = s.decoder.DecodeAll(text, nil); err != nil {
			return fmt.Errorf("decompressing events: %w", err)
		}
	}
	var body struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	s.events = append(s.events, body.Events...)
	return nil
}
