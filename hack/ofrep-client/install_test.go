package ofrepclient_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// offline matches what npm says where there is no way to its registry.
var offline = regexp.MustCompile(`\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT)\b`)

// install brings the clients into the user's cache folder, unless they are there, and returns where they are.
func install(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("OpenFeature's JavaScript clients need %s, which is not on this machine", program)
		}
	}
	hash := sha256.New()
	sources := []string{"package.json", "package-lock.json", "client.mjs"}
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		hash.Write(text)
	}
	cache := os.Getenv("STATSIG_OPERATOR_CACHE")
	if cache == "" {
		folder, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(folder, "statsig-operator")
	}
	folder := filepath.Join(cache, "ofrep-client-"+hex.EncodeToString(hash.Sum(nil))[:12])
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	if err := os.MkdirAll(cache, 0o750); err != nil {
		t.Fatal(err)
	}
	// The folder appears at once and whole, for tests of several processes.
	unfinished, err := os.MkdirTemp(cache, "ofrep-client-") //nolint:usetesting // only within a file system folders can move
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(unfinished) })
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(unfinished, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	npm := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", unfinished)
	if out, err := npm.CombinedOutput(); err != nil {
		if offline.Match(out) {
			t.Skipf("OpenFeature's JavaScript clients come from npm's registry, which this machine does not reach:\n%s", out)
		}
		t.Fatalf("installing the clients: %v\n%s", err, out)
	}
	if err := os.Rename(unfinished, folder); err != nil {
		if _, exists := os.Stat(folder); exists != nil {
			t.Fatal(err)
		}
	}
	return folder
}
