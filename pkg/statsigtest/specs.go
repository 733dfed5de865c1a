package statsigtest

import (
	"bytes"
	"compress/gzip"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tidwall/gjson"
)

const noUpdates = `{"has_updates":false}`

// document is the served specs document; immutable.
type document struct {
	text     []byte
	time     int64  // 0 when it says none, or is no JSON
	checksum string // "" when it says none
	gzipped  func() []byte
}

func newDocument(text []byte) *document {
	text = slices.Clone(text)
	d := &document{text: text, gzipped: sync.OnceValue(func() []byte { return compress(text) })}
	if gjson.ValidBytes(text) {
		root := gjson.ParseBytes(text)
		d.time = member(root, "time").Int()
		d.checksum = member(root, "checksum").String()
	}
	return d
}

func compress(text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(text) // a bytes.Buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// heldBy reports whether a client that sent these parameters has the document. The checksum decides where both sides
// have one, because two documents may carry the same time; else the time does.
func (d *document) heldBy(q url.Values) bool {
	if held := q.Get("checksum"); held != "" && d.checksum != "" {
		return held == d.checksum
	}
	since, err := strconv.ParseInt(q.Get("sinceTime"), 10, 64)
	return err == nil && since > 0 && d.time > 0 && since >= d.time
}

func (s *Server) answerSpecs(r *http.Request) answer {
	if r.Method != http.MethodGet {
		return refuse(http.StatusMethodNotAllowed, "config specs are read with GET")
	}
	s.mu.Lock()
	d := s.specs
	s.mu.Unlock()
	if !s.alwaysFull && d.heldBy(r.URL.Query()) {
		return answer{status: http.StatusOK, body: []byte(noUpdates), outcome: "no updates"}
	}
	a := answer{status: http.StatusOK, body: d.text, outcome: "full document of time " + strconv.FormatInt(d.time, 10)}
	if acceptsGzip(r.Header) {
		a.encoding, a.body = "gzip", d.gzipped()
	}
	return a
}

func acceptsGzip(h http.Header) bool {
	for offer := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		coding, params, _ := strings.Cut(offer, ";")
		if strings.TrimSpace(coding) == "gzip" {
			return strings.ReplaceAll(params, " ", "") != "q=0"
		}
	}
	return false
}

// Specs returns the document as it is served now.
func (s *Server) Specs() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.specs.text)
}

// SetSpecs serves doc from now on, byte for byte, even if it is malformed or older than the one before. Clients that
// follow Statsig's rules ignore an older time and an equal checksum; [Server.BumpSpecs] afterwards makes them take
// it.
func (s *Server) SetSpecs(doc []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replaceSpecs(newDocument(doc))
}

// BumpSpecs raises the document's time above every time served before and gives it a new checksum, so that every
// client takes it. It returns an error when the document is not a JSON object.
func (s *Server) BumpSpecs() error {
	return s.edit(func(text []byte) ([]byte, error) { return text, nil })
}

// SetGate makes a gate or segment pass or fail for everyone, by a rule placed before all others. The gate's own rules
// stay and decide again after [Server.ResetGate]. It returns an error when the document has no such gate.
func (s *Server) SetGate(name string, pass bool) error {
	return s.edit(func(text []byte) ([]byte, error) {
		return override(text, gatesKey, name, strconv.FormatBool(pass))
	})
}

// ResetGate takes back what [Server.SetGate] did. It returns an error when the document has no such gate.
func (s *Server) ResetGate(name string) error {
	return s.edit(func(text []byte) ([]byte, error) { return override(text, gatesKey, name, "") })
}

// SetPassPercentage sets the percentage (0 to 100) of one rule, named by its ID or name; "" means the gate's last
// rule, which is the one for everybody else. It undoes [Server.SetGate]. It returns an error when there is no such
// gate or rule.
func (s *Server) SetPassPercentage(gate, rule string, percentage float64) error {
	return s.edit(func(text []byte) ([]byte, error) { return withPassPercentage(text, gate, rule, percentage) })
}

// SetDynamicConfig gives everyone this value, a JSON object, of a dynamic config or experiment, by a rule placed
// before all others. It returns an error when the document has no such config or the value is no JSON object.
func (s *Server) SetDynamicConfig(name string, value []byte) error {
	return s.edit(func(text []byte) ([]byte, error) {
		if v := gjson.ParseBytes(value); !gjson.ValidBytes(value) || !v.IsObject() {
			return nil, errNotObject
		}
		return override(text, configsKey, name, string(bytes.TrimSpace(value)))
	})
}

// edit replaces the document by change's result, with a later time and a new checksum.
func (s *Server) edit(change func(text []byte) ([]byte, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !gjson.ValidBytes(s.specs.text) || !gjson.ParseBytes(s.specs.text).IsObject() {
		return errNotDocument
	}
	text, err := change(s.specs.text)
	if err != nil {
		return err
	}
	text = setMember(text, "time", strconv.FormatInt(max(s.latestTime, s.specs.time)+1, 10))
	sum := fnv.New64a()
	_, _ = sum.Write(text) // a hash takes everything
	text = setMember(text, "checksum", strconv.Quote(strconv.FormatUint(sum.Sum64(), 10)))
	s.replaceSpecs(newDocument(text))
	return nil
}

// replaceSpecs remembers the latest time served, so that edits after a step back in time still move forward. Callers
// hold s.mu.
func (s *Server) replaceSpecs(d *document) {
	s.latestTime = max(s.latestTime, s.specs.time, d.time)
	s.specs = d
	s.announce()
}
