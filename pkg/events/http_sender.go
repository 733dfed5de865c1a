package events

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

const (
	sdkType = "statsig-operator"
	// maxResponseBytes bounds what is read of an answer; a good one has 16 bytes.
	maxResponseBytes = 64 << 10
	// maxRetryAfter bounds how long an endpoint can silence us, be it by mistake.
	maxRetryAfter = time.Hour
)

// httpSender posts batches to a log_event endpoint.
type httpSender struct {
	client   *http.Client
	url      string
	key      secret.Key
	scrubber *secret.Scrubber
	header   http.Header // the same for every request
	timeout  time.Duration
	now      func() time.Time
}

func newHTTPSender(o Options) *httpSender {
	scrubber := &secret.Scrubber{}
	scrubber.Add(o.SDKKey)
	service := o.ServiceName
	if service == "" {
		service = "unknown"
	}
	header := http.Header{}
	header.Set("Accept", "*/*")
	header.Set("Content-Type", "application/json")
	header.Set("Content-Encoding", string(o.Compression))
	header.Set("User-Agent", sdkType+"/"+o.SDKVersion)
	header.Set("X-Request-Service", service)
	header.Set("Statsig-Sdk-Type", sdkType)
	header.Set("Statsig-Sdk-Version", o.SDKVersion)
	header.Set("Statsig-Server-Session-Id", o.SessionID)
	return &httpSender{
		client: &http.Client{
			Transport: o.Transport,
			// A redirect would carry the key header to wherever it points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		url:      o.URL,
		key:      o.SDKKey,
		scrubber: scrubber,
		header:   header,
		timeout:  o.RequestTimeout,
		now:      o.Now,
	}
}

// send posts one batch. Its errors hold neither URL nor key nor anything of a body.
func (s *httpSender) send(ctx context.Context, r request) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(r.body))
	if err != nil {
		return scrubTransportError(s.scrubber, err)
	}
	req.Header = s.header.Clone()
	req.Header.Set("Statsig-Api-Key", s.key.Reveal())
	req.Header.Set("Statsig-Client-Time", strconv.FormatInt(s.now().UnixMilli(), 10))
	req.Header.Set("Statsig-Event-Count", strconv.Itoa(r.events))
	req.Header.Set("Statsig-Retry-Count", strconv.Itoa(r.attempt))
	resp, err := s.client.Do(req)
	if err != nil {
		return scrubTransportError(s.scrubber, err)
	}
	defer func() { _ = resp.Body.Close() }()
	// Read to the end even where the content does not matter: only then is the connection used again.
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponseBytes))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return &StatusError{
			Status:     resp.StatusCode,
			RetryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), s.now()),
		}
	}
	if err != nil {
		return scrubTransportError(s.scrubber, err)
	}
	if !isConfirmed(body) {
		return fmt.Errorf("%w: status %d", ErrUnsuccessful, resp.StatusCode)
	}
	return nil
}

// isConfirmed reports whether a 2xx body confirms delivery: a JSON object whose success, if it has one, is not false.
// An empty body comes from something in between that is not Statsig.
func isConfirmed(body []byte) bool {
	var answer *struct {
		Success *bool `json:"success"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer == nil {
		return false
	}
	return answer.Success == nil || *answer.Success
}

// parseRetryAfter reads seconds or a date. Anything else, and anything in the past, is 0.
func parseRetryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// requestMetadata returns the statsigMetadata of every batch up to the value of its last field, flushType.
func requestMetadata(o Options) []byte {
	dst := append([]byte(nil), `{"sdkType":`...)
	dst = appendString(dst, sdkType)
	dst = append(dst, `,"sdkVersion":`...)
	dst = appendString(dst, o.SDKVersion)
	dst = append(dst, `,"sessionID":`...)
	dst = appendString(dst, o.SessionID)
	dst = append(dst, `,"os":`...)
	dst = appendString(dst, runtime.GOOS)
	dst = append(dst, `,"arch":`...)
	dst = appendString(dst, runtime.GOARCH)
	dst = append(dst, `,"languageVersion":`...)
	dst = appendString(dst, strings.TrimPrefix(runtime.Version(), "go"))
	if o.ServiceName != "" {
		dst = append(dst, `,"service_name":`...)
		dst = appendString(dst, o.ServiceName)
	}
	dst = append(dst, `,"flushingIntervalMs":`...)
	dst = strconv.AppendInt(dst, o.FlushInterval.Milliseconds(), 10)
	dst = append(dst, `,"batchSize":`...)
	dst = strconv.AppendInt(dst, int64(o.BatchSize), 10)
	dst = append(dst, `,"maxPendingBatches":`...)
	dst = strconv.AppendInt(dst, int64(o.MaxPendingBatches), 10)
	return append(dst, `,"flushType":`...)
}
