package specsync

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

const (
	signingSecret = "webhook-secret-Test/Key"
	changeBatch   = `{"data":[{"timestamp":1671672134833,"eventName":"statsig::config_change","metadata":{"type":"Gate","name":"test"}}]}`
)

var webhookNow = time.UnixMilli(1_671_672_194_836)

// signWebhook signs as Statsig's documentation says, written out apart from the code under test.
func signWebhook(key, timestamp, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "v0:%s:%s", timestamp, body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

func webhookRequest(body string, at time.Time) *http.Request {
	timestamp := strconv.FormatInt(at.UnixMilli(), 10)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(webhookTimestampHeader, timestamp)
	r.Header.Set(webhookSignatureHeader, signWebhook(signingSecret, timestamp, body))
	return r
}

// newWebhook counts wake-ups in woken.
func newWebhook(tb testing.TB, secrets ...string) (w *Webhook, woken *int) {
	tb.Helper()
	woken = new(int)
	o := WebhookOptions{Wake: func() { *woken++ }, Now: func() time.Time { return webhookNow }}
	for _, s := range secrets {
		o.Secrets = append(o.Secrets, secret.NewKey(s))
	}
	w, err := NewWebhook(o)
	if err != nil {
		tb.Fatal(err)
	}
	return w, woken
}

// TestTheSignatureOfAKnownText holds the scheme to a value that was computed with OpenSSL.
func TestTheSignatureOfAKnownText(t *testing.T) {
	const want = "v0=031cf3cb55d84d3446939ad793de25be0da6e4eb3aa228acccb85b1fd12b1a22"
	if got := signWebhook("key", "1671672194836", `{"data":[]}`); got != want {
		t.Errorf("want %s, got %s", want, got)
	}
}

func TestWebhook(t *testing.T) {
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	cases := map[string]struct {
		body       string
		at         time.Time
		change     func(*http.Request)
		wantStatus int
		wantBody   string
		wantWoken  bool
	}{
		"a signed change wakes": {wantStatus: http.StatusNoContent, wantWoken: true},
		"the body may be anything that is signed": {
			body: "{", wantStatus: http.StatusNoContent, wantWoken: true,
		},
		"an empty body that is signed wakes": {
			body: "\n", wantStatus: http.StatusNoContent, wantWoken: true,
		},
		"a charset is no matter": {
			change: set("Content-Type", "application/json; charset=utf-8"), wantStatus: http.StatusNoContent, wantWoken: true,
		},
		"digits of the signature may be in upper case": {
			change: func(r *http.Request) {
				signature := r.Header.Get(webhookSignatureHeader)
				r.Header.Set(webhookSignatureHeader, "v0="+strings.ToUpper(signature[3:]))
			},
			wantStatus: http.StatusNoContent, wantWoken: true,
		},
		"a clock five minutes ahead is borne": {at: webhookNow.Add(5 * time.Minute), wantStatus: http.StatusNoContent, wantWoken: true},
		"a request of five minutes ago is":    {at: webhookNow.Add(-5 * time.Minute), wantStatus: http.StatusNoContent, wantWoken: true},
		"one that is older is refused":        {at: webhookNow.Add(-5*time.Minute - time.Millisecond), wantStatus: http.StatusUnauthorized},
		"one from the future is refused":      {at: webhookNow.Add(5*time.Minute + time.Millisecond), wantStatus: http.StatusUnauthorized},
		"a time of long ago is refused":       {at: time.UnixMilli(-1 << 62), wantStatus: http.StatusUnauthorized},
		"a time in seconds is refused":        {change: set(webhookTimestampHeader, "1671672194"), wantStatus: http.StatusUnauthorized},
		"a time that is none is refused":      {change: set(webhookTimestampHeader, "now"), wantStatus: http.StatusUnauthorized},
		"no time is refused":                  {change: set(webhookTimestampHeader, ""), wantStatus: http.StatusUnauthorized},
		"another time than signed is refused": {change: set(webhookTimestampHeader, "1671672194837"), wantStatus: http.StatusUnauthorized},
		"no signature is refused":             {change: set(webhookSignatureHeader, ""), wantStatus: http.StatusUnauthorized},
		"a signature without a version is refused": {
			change:     func(r *http.Request) { r.Header.Set(webhookSignatureHeader, r.Header.Get(webhookSignatureHeader)[3:]) },
			wantStatus: http.StatusUnauthorized,
		},
		"another version's is refused": {
			change: func(r *http.Request) {
				r.Header.Set(webhookSignatureHeader, "v1"+r.Header.Get(webhookSignatureHeader)[2:])
			},
			wantStatus: http.StatusUnauthorized,
		},
		"a part of the signature is refused": {
			change:     func(r *http.Request) { r.Header.Set(webhookSignatureHeader, r.Header.Get(webhookSignatureHeader)[:20]) },
			wantStatus: http.StatusUnauthorized,
		},
		"a signature that is none is refused": {
			change: set(webhookSignatureHeader, "v0="+strings.Repeat("x", 64)), wantStatus: http.StatusUnauthorized,
		},
		"another secret's is refused": {
			change:     set(webhookSignatureHeader, signWebhook("another", "1671672194836", changeBatch)),
			wantStatus: http.StatusUnauthorized,
		},
		"another body than signed is refused": {
			change:     set(webhookSignatureHeader, signWebhook(signingSecret, "1671672194836", changeBatch+" ")),
			wantStatus: http.StatusUnauthorized,
		},
		"GET is refused":         {change: func(r *http.Request) { r.Method = http.MethodGet }, wantStatus: http.StatusMethodNotAllowed},
		"a form is refused":      {change: set("Content-Type", "application/x-www-form-urlencoded"), wantStatus: http.StatusUnsupportedMediaType},
		"no content type is too": {change: set("Content-Type", ""), wantStatus: http.StatusUnsupportedMediaType},
		"a huge body is refused": {body: strings.Repeat(" ", MaxWebhookBytes+1), wantStatus: http.StatusRequestEntityTooLarge},
		"the largest body wakes": {body: strings.Repeat(" ", MaxWebhookBytes), wantStatus: http.StatusNoContent, wantWoken: true},
		"a verification is answered": {
			body: `{"data":{"event":"url_verification","verification_code":"Ab-1_"}}`, change: set(webhookSignatureHeader, ""),
			wantStatus: http.StatusOK, wantBody: `{"verification_code":"Ab-1_"}`,
		},
		"a verification with markup is not": {
			body: `{"data":{"event":"url_verification","verification_code":"<script>"}}`, change: set(webhookSignatureHeader, ""),
			wantStatus: http.StatusUnauthorized,
		},
		"a verification that is too long is not": {
			body:   `{"data":{"event":"url_verification","verification_code":"` + strings.Repeat("a", 129) + `"}}`,
			change: set(webhookSignatureHeader, ""), wantStatus: http.StatusUnauthorized,
		},
		"another event is no verification": {
			body: `{"data":{"event":"other","verification_code":"a"}}`, change: set(webhookSignatureHeader, ""),
			wantStatus: http.StatusUnauthorized,
		},
		"a verification with a wrong signature is refused": {
			body: `{"data":{"event":"url_verification","verification_code":"a"}}`, change: set(webhookSignatureHeader, "v0=0"),
			wantStatus: http.StatusUnauthorized,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.body == "" {
				tc.body = changeBatch
			}
			if tc.at.IsZero() {
				tc.at = webhookNow
			}
			w, woken := newWebhook(t, "an-older-secret", signingSecret)
			r := webhookRequest(tc.body, tc.at)
			if tc.change != nil {
				tc.change(r)
			}
			recorder := httptest.NewRecorder()
			w.ServeHTTP(recorder, r)
			if recorder.Code != tc.wantStatus || recorder.Body.String() != tc.wantBody {
				t.Errorf("want %d %q, got %d %q", tc.wantStatus, tc.wantBody, recorder.Code, recorder.Body)
			}
			if (*woken == 1) != tc.wantWoken {
				t.Errorf("woken %d times, want it: %v", *woken, tc.wantWoken)
			}
		})
	}
}

func TestARepeatedRequestDoesNotWakeAgain(t *testing.T) {
	w, woken := newWebhook(t, signingSecret)
	send := func(i int) int {
		recorder := httptest.NewRecorder()
		w.ServeHTTP(recorder, webhookRequest(strconv.Itoa(i), webhookNow))
		return recorder.Code
	}
	for range 3 {
		if code := send(0); code != http.StatusNoContent {
			t.Errorf("got %d", code)
		}
	}
	if *woken != 1 {
		t.Errorf("want one wake-up for three copies, got %d", *woken)
	}
	for i := range 3 * webhookMemory {
		send(i)
	}
	if *woken != 3*webhookMemory {
		t.Errorf("want one wake-up for each request, got %d for %d", *woken, 3*webhookMemory)
	}
	if len(w.seen) != webhookMemory || len(w.order) != webhookMemory {
		t.Errorf("want %d requests remembered, got %d and %d", webhookMemory, len(w.seen), len(w.order))
	}
	send(3*webhookMemory - 1)
	if *woken != 3*webhookMemory {
		t.Error("the latest request is forgotten")
	}
}

func TestWebhookOptions(t *testing.T) {
	good := WebhookOptions{
		Secrets: []secret.Key{secret.NewKey(signingSecret)}, Wake: func() {}, Now: func() time.Time { return webhookNow },
	}
	for name, change := range map[string]func(*WebhookOptions){
		"no secret":        func(o *WebhookOptions) { o.Secrets = nil },
		"an empty secret":  func(o *WebhookOptions) { o.Secrets = append(o.Secrets, secret.Key{}) },
		"too many secrets": func(o *WebhookOptions) { o.Secrets = make([]secret.Key, MaxWebhookSecrets+1) },
		"nobody to wake":   func(o *WebhookOptions) { o.Wake = nil },
		"no clock":         func(o *WebhookOptions) { o.Now = nil },
		"a negative skew":  func(o *WebhookOptions) { o.MaxSkew = -1 },
	} {
		o := good
		change(&o)
		if _, err := NewWebhook(o); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
	w, err := NewWebhook(good)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v", w, w, w); strings.Contains(text, signingSecret) {
		t.Errorf("the secret prints: %s", text)
	}
}

// FuzzWebhook holds that only what is signed wakes, and that nothing but a verification is answered with a text.
func FuzzWebhook(f *testing.F) {
	good := webhookRequest(changeBatch, webhookNow)
	f.Add("POST", "application/json", good.Header.Get(webhookTimestampHeader), good.Header.Get(webhookSignatureHeader), []byte(changeBatch))
	f.Add("POST", "application/json", "", "", []byte(`{"data":{"event":"url_verification","verification_code":"x"}}`))
	f.Add("GET", "", "1671672194836", "v0=", []byte(`{"data":[]}`))
	f.Fuzz(func(t *testing.T, method, contentType, timestamp, signature string, body []byte) {
		w, woken := newWebhook(t, "other", signingSecret)
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
		r.Method = method
		r.Header = http.Header{
			"Content-Type": {contentType}, webhookTimestampHeader: {timestamp}, webhookSignatureHeader: {signature},
		}
		recorder := httptest.NewRecorder()
		w.ServeHTTP(recorder, r)
		signed := strings.EqualFold(signature, signWebhook(signingSecret, timestamp, string(body))) ||
			strings.EqualFold(signature, signWebhook("other", timestamp, string(body)))
		if *woken > 0 && (!signed || method != http.MethodPost || recorder.Code != http.StatusNoContent) {
			t.Errorf("an unsigned request woke: %d", recorder.Code)
		}
		if recorder.Body.Len() > 0 && (recorder.Code != http.StatusOK || recorder.Body.Len() > 160) {
			t.Errorf("an answer with a text: %d %q", recorder.Code, recorder.Body)
		}
	})
}
