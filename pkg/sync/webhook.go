package specsync

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

// The headers of Statsig's webhook.
const (
	webhookTimestampHeader = "X-Statsig-Request-Timestamp"
	webhookSignatureHeader = "X-Statsig-Signature"
	// webhookVersion begins both the signed text and the signature.
	webhookVersion = "v0"
)

const (
	// DefaultWebhookSkew is how far the time of a request may be from the clock.
	DefaultWebhookSkew = 5 * time.Minute
	// MaxWebhookBytes bounds the body of a request to a webhook.
	MaxWebhookBytes = 1 << 20
	// MaxWebhookSecrets bounds the secrets of a webhook: every request is checked against each.
	MaxWebhookSecrets = 8

	// webhookMemory is how many requests are remembered to know their repetitions.
	webhookMemory = 1024
)

// WebhookOptions configure a webhook. Secrets, Wake and Now are required.
type WebhookOptions struct {
	// Secrets are the signing secrets accepted, several while one is replaced by another; at most MaxWebhookSecrets.
	Secrets []secret.Key
	// Wake is called for each request that proves itself, such as [Syncer.Wake]. It must not block.
	Wake func()
	// Now is the clock.
	Now func() time.Time
	// MaxSkew is how far the time of a request may be from the clock; 0 is DefaultWebhookSkew.
	MaxSkew time.Duration
}

// Webhook answers Statsig's webhook for configuration changes. A request that is signed with one of the secrets, and
// is new, wakes a Syncer; nothing else of it is used. Answers have no text, except to the question whether the address
// is a webhook, which Statsig asks unsigned when it is entered. It is safe for concurrent use.
type Webhook struct {
	options WebhookOptions

	mu sync.Mutex
	// seen are the signatures of the requests that woke, and order the same in the order of their arrival.
	seen  map[webhookSignature]struct{}
	order []webhookSignature
	// next is the place in order to use next, once it is full.
	next int
}

type webhookSignature [sha256.Size]byte

// NewWebhook validates o.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	if len(o.Secrets) == 0 || len(o.Secrets) > MaxWebhookSecrets {
		return nil, errors.New("a webhook needs from one to eight signing secrets")
	}
	for _, s := range o.Secrets {
		if s.IsZero() {
			return nil, errors.New("a signing secret is empty")
		}
	}
	if o.Wake == nil || o.Now == nil {
		return nil, errors.New("a webhook needs somebody to wake, and a clock")
	}
	if o.MaxSkew < 0 {
		return nil, errors.New("the skew is negative")
	}
	if o.MaxSkew == 0 {
		o.MaxSkew = DefaultWebhookSkew
	}
	return &Webhook{options: o, seen: map[webhookSignature]struct{}{}}, nil
}

// ServeHTTP answers 204 to a request that is signed, whether it is new or repeated, 401 to one that is not, 405, 413
// or 415 to one that no webhook sends.
func (w *Webhook) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	status, answer := w.answer(out, r)
	out.Header().Set("Cache-Control", "no-store")
	out.Header().Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusMethodNotAllowed {
		out.Header().Set("Allow", http.MethodPost)
	}
	if answer != nil {
		out.Header().Set("Content-Type", "application/json")
	}
	out.WriteHeader(status)
	_, _ = out.Write(answer) // a client that has left needs no answer
}

func (w *Webhook) answer(out http.ResponseWriter, r *http.Request) (status int, answer []byte) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, nil
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return http.StatusUnsupportedMediaType, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, MaxWebhookBytes))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return http.StatusRequestEntityTooLarge, nil
		}
		return http.StatusBadRequest, nil
	}
	signature, signed := w.verify(r.Header, body)
	switch {
	case !signed:
		if code := verificationCode(r.Header, body); code != "" {
			answer, _ = json.Marshal(map[string]string{"verification_code": code}) // a string always has a JSON form
			return http.StatusOK, answer
		}
		return http.StatusUnauthorized, nil
	case w.remember(signature):
		w.options.Wake()
	}
	return http.StatusNoContent, nil
}

// verify reports whether a request is signed with one of the secrets, and recently. All secrets are tried, so that the
// time it takes tells nothing of which one it was.
func (w *Webhook) verify(h http.Header, body []byte) (signature webhookSignature, ok bool) {
	timestamp := h.Get(webhookTimestampHeader)
	millis, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return signature, false
	}
	if skew := w.options.Now().Sub(time.UnixMilli(millis)); skew > w.options.MaxSkew || skew < -w.options.MaxSkew {
		return signature, false
	}
	digits, versioned := strings.CutPrefix(h.Get(webhookSignatureHeader), webhookVersion+"=")
	if !versioned || len(digits) != hex.EncodedLen(len(signature)) {
		return signature, false
	}
	if _, err := hex.Decode(signature[:], []byte(digits)); err != nil {
		return signature, false
	}
	for _, s := range w.options.Secrets {
		mac := hmac.New(sha256.New, []byte(s.Reveal()))
		_, _ = io.WriteString(mac, webhookVersion+":"+timestamp+":") // a hash takes everything
		_, _ = mac.Write(body)
		if hmac.Equal(mac.Sum(nil), signature[:]) {
			ok = true
		}
	}
	return signature, ok
}

// remember reports whether a signature is new. When too many are remembered the oldest is forgotten: its repetition
// would cost one poll.
func (w *Webhook) remember(signature webhookSignature) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.seen[signature]; known {
		return false
	}
	w.seen[signature] = struct{}{}
	if len(w.order) < webhookMemory {
		w.order = append(w.order, signature)
		return true
	}
	delete(w.seen, w.order[w.next])
	w.order[w.next] = signature
	w.next = (w.next + 1) % webhookMemory
	return true
}

// verificationPattern is what is sent back of a verification: nothing that means anything to anybody.
var verificationPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// verificationCode returns the code that Statsig wants back before it uses an address; "" for other requests.
func verificationCode(h http.Header, body []byte) string {
	if h.Get(webhookSignatureHeader) != "" {
		return ""
	}
	var question struct {
		Data json.RawMessage `json:"data"`
	}
	var data struct {
		Event string `json:"event"`
		Code  string `json:"verification_code"`
	}
	// A batch of changes has an array as its data.
	if json.Unmarshal(body, &question) != nil || json.Unmarshal(question.Data, &data) != nil {
		return ""
	}
	if data.Event != "url_verification" || !verificationPattern.MatchString(data.Code) {
		return ""
	}
	return data.Code
}
