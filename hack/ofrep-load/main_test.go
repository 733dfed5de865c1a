package main

import (
	"bufio"
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestEveryRequestIsMeasured(t *testing.T) {
	tests := map[string]struct {
		options options
		gates   int
		want    []string
	}{
		"a server of its own": {
			options: options{token: "secret"}, gates: 20,
			want: []string{"single, same for all", "single, targeting", "bulk", "bulk, 304"},
		},
		"another server": {
			options: options{token: "secret", url: "set below", flag: "static_1"}, gates: 20, want: []string{"single", "bulk", "bulk, 304"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			h, err := newHandler(tc.gates, "secret")
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(h)
			defer server.Close()
			tc.options.duration, tc.options.concurrency = time.Millisecond, []int{1, 3}
			var out bytes.Buffer
			if err := measureAll(t.Context(), &tc.options, server.URL, &out); err != nil {
				t.Fatal(err)
			}
			var rows []string
			for line := range strings.Lines(out.String()) {
				if cells := strings.Split(line, "|"); len(cells) > 7 && strings.TrimSpace(cells[2]) == "3" {
					rows = append(rows, strings.TrimSpace(cells[1]))
				}
			}
			if got, want := strings.Join(rows, "; "), strings.Join(tc.want, "; "); got != want {
				t.Errorf("measured %s, want %s:\n%s", got, want, out.String())
			}
		})
	}
}

func TestAnAnswerThatIsNotExpectedEndsTheRun(t *testing.T) {
	h, err := newHandler(20, "secret")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	o := options{token: "wrong", duration: time.Millisecond, concurrency: []int{1}}
	err = measureAll(t.Context(), &o, server.URL, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "unexpected status 401, want 200") {
		t.Errorf("error %v, want the status", err)
	}
}

func TestReadAnswer(t *testing.T) {
	tests := map[string]struct {
		text    string
		want    answer
		wantErr string
	}{
		"an answer with a tag": {text: "HTTP/1.1 200 OK\r\nEtag: \"x\"\r\nContent-Length: 2\r\n\r\n{}", want: answer{200, `"x"`}},
		"one without a body":   {text: "HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\n\r\n", want: answer{304, `"x"`}},
		"one in chunks":        {text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", wantErr: "the answer does not say its length"},
		"one cut short":        {text: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", wantErr: "EOF"},
		"no answer":            {text: "what?\r\n", wantErr: `no status line: "what?\r\n"`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			in := bufio.NewReader(strings.NewReader(tc.text))
			got, err := readAnswer(in)
			if tc.wantErr != "" {
				if err == nil || err.Error() != tc.wantErr {
					t.Errorf("error %v, want %s", err, tc.wantErr)
				}
				return
			}
			if err != nil || got != tc.want || in.Buffered() > 0 {
				t.Errorf("answer %+v with %d bytes behind, error %v, want %+v", got, in.Buffered(), err, tc.want)
			}
		})
	}
}
