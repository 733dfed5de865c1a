package statsigtest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// maxBatchBytes bounds a batch as sent and as decompressed; the largest that a client with Statsig's limits makes is
// far smaller.
const maxBatchBytes = 64 << 20

const eventsAccepted = `{"success":true}`

// Event is one event that arrived. Keys that belong to the SDK have been blanked in all of it.
type Event struct {
	Number             int                      `json:"number"` // in order of arrival, from 1
	Name               string                   `json:"eventName"`
	Value              string                   `json:"value"` // text of a string or number, "" for none
	Metadata           map[string]string        `json:"metadata"`
	UserID             string                   `json:"userID"`
	CustomIDs          map[string]string        `json:"customIDs"`
	Time               int64                    `json:"time"` // Unix milliseconds, as the client says
	SecondaryExposures []eval.SecondaryExposure `json:"secondaryExposures"`
	Key                string                   `json:"key"` // fingerprint of the SDK key
	SDKType            string                   `json:"sdkType"`
	SDKVersion         string                   `json:"sdkVersion"`
	Raw                json.RawMessage          `json:"raw"` // the event as sent
}

// statusError is a batch that is refused with a certain status.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

func invalid(format string, args ...any) error {
	return &statusError{status: http.StatusBadRequest, text: fmt.Sprintf(format, args...)}
}

func (s *Server) answerEvents(w http.ResponseWriter, r *http.Request, c call) answer {
	batch, err := s.readBatch(w, r, c)
	if err != nil {
		status := http.StatusBadRequest
		if refused, ok := errors.AsType[*statusError](err); ok {
			status = refused.status
		}
		return refuse(status, s.scrubber.Scrub(err.Error()))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range batch {
		s.numEvents++
		e.Number = s.numEvents
		s.events = append(s.events, e)
	}
	s.events = s.events[max(0, len(s.events)-s.maxEvents):]
	s.announce()
	outcome := strconv.Itoa(len(batch)) + " events"
	return answer{status: http.StatusAccepted, body: []byte(eventsAccepted), outcome: outcome}
}

func (s *Server) readBatch(w http.ResponseWriter, r *http.Request, c call) ([]Event, error) {
	if r.Method != http.MethodPost {
		return nil, &statusError{status: http.StatusMethodNotAllowed, text: "events are sent with POST"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBatchBytes))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, invalid("reading the body: %v", err)
	}
	if err := checkHeaders(r.Header); err != nil {
		return nil, err
	}
	if body, err = decompress(r.Header.Get("Content-Encoding"), body); err != nil {
		return nil, err
	}
	// Diagnostics events of the official SDKs carry the specs URL, and with it the key.
	batch, err := decodeBatch(s.scrubber.Scrub(string(body)))
	if err != nil {
		return nil, err
	}
	if count := r.Header.Get("Statsig-Event-Count"); count != "" && count != strconv.Itoa(len(batch)) {
		return nil, invalid("header statsig-event-count says %q, the body holds %d events", count, len(batch))
	}
	for i := range batch {
		batch[i].Key = c.key.Fingerprint()
	}
	return batch, nil
}

// checkHeaders wants what every SDK of Statsig's sends, so that a client that forgets something learns it here.
func checkHeaders(h http.Header) error {
	if mediaType, _, _ := strings.Cut(h.Get("Content-Type"), ";"); strings.TrimSpace(mediaType) != "application/json" {
		return &statusError{http.StatusUnsupportedMediaType, "header content-type is not application/json"}
	}
	for _, name := range []string{"statsig-sdk-type", "statsig-sdk-version"} {
		if h.Get(name) == "" {
			return invalid("header %s is missing", name)
		}
	}
	for _, name := range []string{"statsig-client-time", "statsig-event-count", "statsig-retry-count"} {
		text := h.Get(name)
		if text == "" && name != "statsig-client-time" {
			continue
		}
		if n, err := strconv.ParseInt(text, 10, 64); err != nil || n < 0 {
			return invalid("header %s is %q, want a whole number", name, text)
		}
	}
	return nil
}

var errTooLarge = &statusError{
	status: http.StatusRequestEntityTooLarge,
	text:   fmt.Sprintf("the batch is larger than %d bytes", maxBatchBytes),
}

func decompress(encoding string, body []byte) ([]byte, error) {
	var source io.Reader
	switch encoding {
	case "", "identity":
		return body, nil
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, invalid("decompressing the body: %v", err)
		}
		source = z
	case "zstd":
		z, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, invalid("decompressing the body: %v", err)
		}
		defer z.Close()
		source = z
	default:
		return nil, &statusError{http.StatusUnsupportedMediaType, "content-encoding is none of gzip, zstd and identity"}
	}
	text, err := io.ReadAll(io.LimitReader(source, maxBatchBytes+1))
	if err != nil {
		return nil, invalid("decompressing the body: %v", err)
	}
	if len(text) > maxBatchBytes {
		return nil, errTooLarge
	}
	return text, nil
}

func decodeBatch(body string) ([]Event, error) {
	if !gjson.Valid(body) {
		return nil, invalid("the body is not JSON")
	}
	root := gjson.Parse(body)
	list, sdk := member(root, "events"), member(root, "statsigMetadata")
	if !list.IsArray() {
		return nil, invalid("the body has no list of events")
	}
	sdkType, sdkVersion := member(sdk, "sdkType"), member(sdk, "sdkVersion")
	if sdkType.Type != gjson.String || sdkVersion.Type != gjson.String {
		return nil, invalid("statsigMetadata lacks sdkType or sdkVersion")
	}
	var batch []Event
	for i, raw := range list.Array() {
		e, err := decodeEvent(raw)
		if err != nil {
			return nil, invalid("event %d: %v", i, err)
		}
		e.SDKType, e.SDKVersion = sdkType.String(), sdkVersion.String()
		batch = append(batch, e)
	}
	return batch, nil
}

func decodeEvent(raw gjson.Result) (Event, error) {
	name, user, at := member(raw, "eventName"), member(raw, "user"), member(raw, "time")
	switch {
	case name.Type != gjson.String || name.String() == "":
		return Event{}, errors.New("eventName is missing")
	case user.Exists() && !user.IsObject(): // diagnostics of older SDKs have none
		return Event{}, errors.New("user is not an object")
	case member(user, "privateAttributes").Exists():
		return Event{}, errors.New("user carries privateAttributes, which must not leave the client")
	case at.Type != gjson.Number:
		return Event{}, errors.New("time is not a number")
	}
	e := Event{
		Name:      name.String(),
		Value:     member(raw, "value").String(),
		Metadata:  textMap(member(raw, "metadata")),
		UserID:    member(user, "userID").String(),
		CustomIDs: textMap(member(user, "customIDs")),
		Time:      at.Int(),
		Raw:       json.RawMessage(strings.Clone(raw.Raw)), // a clone lets go of the rest of the batch
	}
	var err error
	if e.SecondaryExposures, err = decodeSecondaryExposures(member(raw, "secondaryExposures")); err != nil {
		return Event{}, err
	}
	return e, checkExposure(e)
}

func decodeSecondaryExposures(list gjson.Result) ([]eval.SecondaryExposure, error) {
	if list.Type == gjson.Null { // absent or null
		return nil, nil
	}
	if !list.IsArray() {
		return nil, errors.New("secondaryExposures is not a list")
	}
	var out []eval.SecondaryExposure
	for _, x := range list.Array() {
		gate, value, rule := member(x, "gate"), member(x, "gateValue"), member(x, "ruleID")
		if gate.Type != gjson.String || value.Type != gjson.String || rule.Type != gjson.String {
			return nil, errors.New("a secondary exposure lacks one of the strings gate, gateValue and ruleID")
		}
		out = append(out, eval.SecondaryExposure{
			Gate:      strings.Clone(gate.String()),
			GateValue: strings.Clone(value.String()),
			RuleID:    strings.Clone(rule.String()),
		})
	}
	return out, nil
}

// checkExposure wants the metadata that give an exposure its meaning.
func checkExposure(e Event) error {
	required := map[string][]string{
		"statsig::gate_exposure":   {"gate", "gateValue", "ruleID"},
		"statsig::config_exposure": {"config", "ruleID"},
		"statsig::layer_exposure":  {"config", "ruleID", "allocatedExperiment", "parameterName", "isExplicitParameter"},
	}
	for _, key := range required[e.Name] {
		if _, ok := e.Metadata[key]; !ok {
			return fmt.Errorf("%s lacks the metadata %s", e.Name, key)
		}
	}
	return nil
}

// textMap returns an object's values as text: strings as they are, everything else as JSON.
func textMap(object gjson.Result) map[string]string {
	if !object.IsObject() {
		return nil
	}
	m := map[string]string{}
	object.ForEach(func(key, value gjson.Result) bool {
		m[strings.Clone(key.String())] = strings.Clone(value.String())
		return true
	})
	return m
}

// Events returns the events that arrived and were accepted, in order of arrival, without those that made room for
// others.
func (s *Server) Events() []Event { return s.eventsAfter(0) }

func (s *Server) eventsAfter(number int) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := slices.IndexFunc(s.events, func(e Event) bool { return e.Number > number })
	if first < 0 {
		return nil
	}
	return slices.Clone(s.events[first:])
}

// DiscardEvents forgets the events received so far. Numbering goes on.
func (s *Server) DiscardEvents() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = nil
	s.announce()
}
