package events

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/events/spool"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// The test binary runs itself as the process that crashes, told by these variables.
const (
	crashURL   = "EVENTS_CRASH_URL"
	crashDir   = "EVENTS_CRASH_DIR"
	crashRound = "EVENTS_CRASH_ROUND"
)

func TestMain(m *testing.M) {
	if os.Getenv(crashURL) != "" {
		fmt.Fprintln(os.Stderr, logUntilKilled())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// logUntilKilled logs numbered events and prints the number of the latest that is safe. It ends by being killed.
func logUntilKilled() error {
	round, err := strconv.Atoi(os.Getenv(crashRound))
	if err != nil {
		return err
	}
	// All policies survive a kill; that of the third round in three costs the least.
	policies := []spool.SyncPolicy{spool.SyncAlways, spool.SyncInterval, spool.SyncNever}
	l, err := New(crashOptions(os.Getenv(crashURL), os.Getenv(crashDir), policies[round%len(policies)]))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = l.Run(ctx) }()
	pace := time.NewTicker(200 * time.Microsecond) // the disk is to fill up slower than it is emptied
	defer pace.Stop()
	for i := 0; ; i++ {
		if !l.Log(CustomEvent{Name: eventName(round, i), User: benchmarkUser}) {
			return fmt.Errorf("event %d was not queued", i)
		}
		if i%20 != 0 {
			continue
		}
		if err := l.Sync(ctx); err != nil {
			return err
		}
		if dropped := l.Stats().Dropped; len(dropped) > 0 {
			return fmt.Errorf("events were dropped: %v", dropped)
		}
		fmt.Println(i)
		<-pace.C
	}
}

func crashOptions(url, dir string, policy spool.SyncPolicy) Options {
	return Options{
		SDKKey: secret.NewKey("secret-crashtest"), Now: time.Now, URL: url,
		BatchSize: 200, FlushInterval: 5 * time.Millisecond,
		Spool: SpoolOptions{Dir: dir, Interval: minSpoolInterval, Fsync: policy},
	}
}

func eventName(round, i int) string { return fmt.Sprintf("%d/%d", round, i) }

// unreliableServer takes batches and, until it is mended, fails at random: before it takes them, or after.
type unreliableServer struct {
	mu      sync.Mutex
	mended  bool
	arrived map[string]int
}

func (s *unreliableServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	compressed, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client was killed while it sent
	}
	s.mu.Lock()
	outcome := rand.IntN(10)
	if s.mended {
		outcome = 9
	}
	if outcome >= 2 {
		s.take(gunzip(compressed))
	}
	s.mu.Unlock()
	switch outcome {
	case 0:
		w.WriteHeader(http.StatusInternalServerError)
	case 1, 2, 3:
		panic(http.ErrAbortHandler) // the connection breaks, of 2 and 3 after the batch was taken
	default:
		_, _ = io.WriteString(w, `{"success":true}`)
	}
}

func (s *unreliableServer) take(body []byte) {
	var batch struct{ Events []struct{ EventName string } }
	if err := json.Unmarshal(body, &batch); err != nil {
		panic(fmt.Sprintf("a batch is not JSON: %v", err))
	}
	for _, e := range batch.Events {
		s.arrived[e.EventName]++
	}
}

// runUntilKilled runs the process, kills it at a random moment, and returns the number of the last event that it said
// was safe, -1 when there was none.
func runUntilKilled(t *testing.T, url, dir string, round int) (acknowledged int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashURL+"="+url, crashDir+"="+dir, fmt.Sprintf("%s=%d", crashRound, round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting the process: %v", err)
	}
	acknowledged = -1
	lines := bufio.NewReader(out)
	// The process is killed at some moment while it works: in one round of ten before it says anything.
	var killer *time.Timer
	arm := func() {
		killer = time.AfterFunc(time.Duration(rand.IntN(40_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
	}
	if round%10 == 0 {
		arm()
	}
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what is left is a line that was never finished
		}
		if acknowledged, err = strconv.Atoi(line[:len(line)-1]); err != nil {
			t.Fatalf("the process printed %q", line)
		}
		if killer == nil {
			arm()
		}
	}
	if killer == nil {
		t.Fatal("the process ended before it was killed")
	}
	killer.Stop()
	_ = cmd.Wait()
	if status := cmd.ProcessState; status.ExitCode() != -1 {
		t.Fatalf("the process was not killed: %s", status)
	}
	return acknowledged
}

// Whenever the process is killed, and whatever the endpoint does: an event that was said to be safe arrives.
func TestEventsSurviveTheDeathOfTheProcess(t *testing.T) {
	rounds := crashRounds
	if testing.Short() {
		rounds = 20
	}
	s := &unreliableServer{arrived: map[string]int{}}
	server := httptest.NewServer(s)
	defer server.Close()
	dir := t.TempDir()
	safe := make([]int, rounds)
	for round := range safe {
		safe[round] = runUntilKilled(t, server.URL, dir, round)
	}
	s.mu.Lock()
	s.mended = true
	s.mu.Unlock()
	stats := drain(t, crashOptions(server.URL, dir, spool.SyncNever))

	s.mu.Lock()
	defer s.mu.Unlock()
	acknowledged, deliveries := 0, 0
	for round, last := range safe {
		for i := range last + 1 {
			acknowledged++
			if s.arrived[eventName(round, i)] == 0 {
				t.Errorf("event %d of round %d was said to be safe and never arrived", i, round)
			}
		}
	}
	for _, n := range s.arrived {
		deliveries += n
	}
	if stats.Spool.Corrupted != 0 {
		t.Errorf("%d places of the spool are corrupted, and not only torn", stats.Spool.Corrupted)
	}
	t.Logf("killed %d times: %d events were safe, %d arrived, %.2f %% of all deliveries were duplicates",
		rounds, acknowledged, len(s.arrived), 100*float64(deliveries-len(s.arrived))/float64(deliveries))
}

// drain sends what is on disk.
func drain(t *testing.T, o Options) Stats {
	t.Helper()
	news := make(newsObserver, 1)
	o.Observer = news
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	if err := l.Sync(ctx); err != nil { // the spool is open then
		t.Fatalf("Sync: %v", err)
	}
	for stats := l.Stats(); stats.Spool.Records > 0; stats = l.Stats() {
		select {
		case <-news:
		case <-t.Context().Done():
			t.Fatalf("the spool was not emptied: %+v", stats)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	return l.Stats()
}

// newsObserver holds a token when something happened.
type newsObserver chan struct{}

func (o newsObserver) EventsDelivered(int, int, time.Duration) { signal(o) }
func (o newsObserver) EventsDropped(Reason, int)               { signal(o) }
func (o newsObserver) EventsSetAside(Reason, int)              { signal(o) }
func (o newsObserver) RequestFailed(error)                     { signal(o) }
func (o newsObserver) SpoolFailed(error)                       { signal(o) }
