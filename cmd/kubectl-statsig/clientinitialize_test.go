package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestClientInitializePrintsAResponseForEachUser(t *testing.T) {
	specs := writeFile(t, "specs.json", string(testDocument().JSON(t)))
	users := writeFile(t, "users.jsonl", "{\"userID\":\"a\"}\n{\"userID\":\"b\"}\n")
	got := execute(t, "", "client-initialize", "--specs", specs, "--users", users, "--hash", "none", "--format", "init-v2")
	if got.Code != 0 || got.Err != "" {
		t.Fatalf("outcome = %+v", got)
	}
	lines := strings.Split(strings.TrimSpace(got.Out), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2", len(lines))
	}
	for i, want := range []string{"a", "b"} {
		var response struct {
			User   struct{ UserID string }
			Hash   string `json:"hash_used"`
			Format string `json:"response_format"`
		}
		if err := json.Unmarshal([]byte(lines[i]), &response); err != nil {
			t.Fatal(err)
		}
		if response.User.UserID != want || response.Hash != "none" || response.Format != "init-v2" {
			t.Errorf("response %d = %+v, want user %q, hash none, format init-v2", i, response, want)
		}
	}
}

func TestClientInitializeRefusesWhatItDoesNotKnow(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"an unknown hash algorithm":     {args: []string{"--hash", "md5"}, want: "error: --hash \"md5\": want djb2, sha256 or none\n"},
		"an unknown format":             {args: []string{"--format", "v3"}, want: "error: --format \"v3\": want v1, v2 or init-v2\n"},
		"two files from standard input": {args: []string{"--id-lists", "-"}, want: "error: only one of --specs, --users and --id-lists can read the standard input\n"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := execute(t, "", append([]string{"client-initialize", "--specs", "s.json", "--users", "-"}, tc.args...)...)
			if want := (outcome{Err: tc.want, Code: 1}); got != want {
				t.Errorf("outcome = %+v, want %+v", got, want)
			}
		})
	}
}

func TestClientInitializeReportsLinesThatAreNoUser(t *testing.T) {
	specs := writeFile(t, "specs.json", string(testDocument().JSON(t)))
	got := execute(t, "nonsense\n{\"userID\":\"b\"}\n", "client-initialize", "--specs", specs, "--users", "-")
	if got.Code != 1 || !strings.HasPrefix(got.Err, "error: the standard input:1: ") || strings.Count(got.Out, "\n") != 1 {
		t.Errorf("outcome = %+v, want one error for line 1 and one response", got)
	}
}
