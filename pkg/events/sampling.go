package events

import (
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// SamplingMode says what becomes of exposures that are not part of the sample.
type SamplingMode string

// The modes of sampling.
const (
	// SamplingOff logs every exposure.
	SamplingOff SamplingMode = ""
	// SamplingOn leaves out what is not part of the sample.
	SamplingOn SamplingMode = "on"
	// SamplingShadow logs every exposure, marked with what would have become of it.
	SamplingShadow SamplingMode = "shadow"
)

// Sampling is what a project asks of its SDKs to spare it events: that of the exposures of a rule with a sampling rate n,
// those of about every n-th unit are logged. The zero value asks for nothing.
type Sampling struct {
	Mode SamplingMode
	// SpecialCaseRate is the rate for exposures that no rule decided, those with the rule ID default, disabled or none;
	// nil where they have none.
	SpecialCaseRate *int64
	// FirstExposureWindow is how long the first exposure by each rule counts as known, after which one is logged again
	// whatever the rate; 0 stands for a minute.
	FirstExposureWindow time.Duration
}

// ParseSampling reads the settings that a config specs document has for SDKs, see [eval.Snapshot.SDKConfigs]. What is
// missing, or of another type than expected, is as if it were not there.
func ParseSampling(sdkConfigs string) Sampling {
	var s Sampling
	members := gjson.Parse(sdkConfigs)
	switch mode := SamplingMode(members.Get("sampling_mode").String()); mode {
	case SamplingOn, SamplingShadow:
		s.Mode = mode
	case SamplingOff:
	}
	if rate := members.Get("special_case_sampling_rate"); rate.Type == gjson.Number {
		n := wholeNumber(rate.Num)
		s.SpecialCaseRate = &n
	}
	if window := members.Get("exposure_spec_sampling_ttl_ms"); window.Type == gjson.Number {
		const mostMilliseconds = int64(math.MaxInt64 / time.Millisecond)
		s.FirstExposureWindow = time.Duration(min(wholeNumber(window.Num), mostMilliseconds)) * time.Millisecond
	}
	return s
}

// wholeNumber cuts the fraction off, and what int64 cannot hold.
func wholeNumber(n float64) int64 {
	const tooLarge = float64(math.MaxInt64) // rounds up to 2^63
	switch {
	case !(n > 0):
		return 0
	case n >= tooLarge:
		return math.MaxInt64
	default:
		return int64(n)
	}
}

// defaultFirstExposureWindow is Statsig's own.
const defaultFirstExposureWindow = time.Minute

// noRate is the rate of a rule without one.
const noRate int64 = -1

// samplingMark is what an event says about its sampling. The zero mark says nothing: the exposure was logged whatever the
// rate.
type samplingMark struct {
	mode    SamplingMode
	rate    int64 // or noRate
	dropped bool  // in shadow mode: would have been left out
}

// sampler decides which exposures are part of the sample. The decision depends on the exposure only, so that replicas and
// restarts agree about it, but for the first exposure by each rule, which is always logged.
type sampler struct {
	settings atomic.Pointer[Sampling] // nil while nothing is asked for
	max      int                      // rules remembered

	mu         sync.Mutex
	seen       map[uint64]struct{} // rules with an exposure since emptiedAt
	emptiedAt  time.Time
	sampledOut int64
}

func newSampler(limit int) *sampler {
	return &sampler{max: limit, seen: map[uint64]struct{}{}}
}

// set replaces the settings.
func (s *sampler) set(settings Sampling) {
	if settings.Mode == SamplingOff {
		s.settings.Store(nil)
		return
	}
	if settings.FirstExposureWindow <= 0 {
		settings.FirstExposureWindow = defaultFirstExposureWindow
	}
	s.settings.Store(&settings)
}

// decide says whether to log an exposure, and how to mark it.
func (s *sampler) decide(e *Exposure, at time.Time) (mark samplingMark, isLogged bool) {
	settings := s.settings.Load()
	if settings == nil || e.Result.ForwardAllExposures || e.Result.HasSeenAnalyticalGates {
		return samplingMark{}, true
	}
	rule := e.ruleKey()
	if s.isFirst(rule, at, settings.FirstExposureWindow) {
		return samplingMark{}, true
	}
	mark = samplingMark{mode: settings.Mode, rate: settings.rateOf(e)}
	if isSampled(e.samplingKey(rule), mark.rate) {
		return mark, true
	}
	if settings.Mode == SamplingShadow {
		mark.dropped = true
		return mark, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sampledOut++
	return samplingMark{}, false
}

// isFirst reports whether no exposure by the rule was seen in this window, and remembers this one. Windows are the same
// for all rules, as in the official SDK. A full set begins a new one: the price is one more exposure per rule.
func (s *sampler) isFirst(rule uint64, at time.Time, window time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The distance is taken both ways, for a clock set back.
	if at.Sub(s.emptiedAt).Abs() > window || len(s.seen) >= s.max {
		clear(s.seen)
		s.emptiedAt = at
	}
	if _, known := s.seen[rule]; known {
		return false
	}
	s.seen[rule] = struct{}{}
	return true
}

func (s *sampler) stats() (keys int, sampledOut int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen), s.sampledOut
}

func (s *Sampling) rateOf(e *Exposure) int64 {
	if s.SpecialCaseRate != nil {
		switch e.ruleID() {
		case "", "default", "disabled":
			return *s.SpecialCaseRate
		}
	}
	return max(e.Result.SamplingRate, noRate)
}

// isSampled takes about one of rate keys; a rate of 0 takes none but the key 0, as in the official SDK.
func isSampled(key uint64, rate int64) bool {
	switch {
	case rate < 0:
		return true
	case rate == 0:
		return key == 0
	default:
		return key%uint64(rate) == 0
	}
}

// ruleKey identifies the rule that decided.
func (e *Exposure) ruleKey() uint64 {
	h := newStableHash()
	h = h.withByte(byte(e.Result.Kind))
	h = h.withField(e.Result.Name)
	return uint64(h.withField(e.ruleID()))
}

// samplingKey identifies what was exposed to whom. It goes on from the key of the rule.
func (e *Exposure) samplingKey(rule uint64) uint64 {
	h := stableHash(rule)
	if e.Result.Kind == eval.KindLayer {
		h = h.withField(e.Parameter)
	} else {
		h = h.withByte(boolByte(e.Result.Pass))
	}
	if e.Unit != "" {
		return h.withField(e.Unit).sum()
	}
	userID, customIDs := idsOf(e.User)
	for _, part := range [...][]byte{userID, customIDs} {
		for _, c := range part {
			h = h.withByte(c)
		}
		h = h.withByte(fieldEnd)
	}
	return h.sum()
}

// stableHash is FNV-1a of 64 bits: the same in every process, which [maphash] is not.
type stableHash uint64

func newStableHash() stableHash { return 0xcbf29ce484222325 }

func (h stableHash) withByte(c byte) stableHash { return (h ^ stableHash(c)) * 0x100000001b3 }

func (h stableHash) withField(s string) stableHash {
	for i := range len(s) {
		h = h.withByte(s[i])
	}
	return h.withByte(fieldEnd)
}

// sum mixes the bits once more, as the low ones of FNV depend on the low ones of the text only.
func (h stableHash) sum() uint64 {
	x := uint64(h)
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// appendSamplingMark appends the statsigMetadata of an exposure.
func appendSamplingMark(dst []byte, m samplingMark) []byte {
	if m.mode == SamplingOff {
		return append(dst, "{}"...)
	}
	dst = append(dst, `{"samplingRate":`...)
	if m.rate == noRate {
		dst = append(dst, "null"...)
	} else {
		dst = strconv.AppendInt(dst, m.rate, 10)
	}
	dst = append(dst, `,"samplingMode":`...)
	dst = appendString(dst, string(m.mode))
	if m.dropped {
		return append(dst, `,"shadowLogged":"dropped"}`...)
	}
	return append(dst, `,"shadowLogged":"logged"}`...)
}

// SetSampling replaces what the project asks for; commonly called with [ParseSampling] of each new document. Until the
// first call every exposure is logged.
func (l *Logger) SetSampling(s Sampling) { l.sampler.set(s) }
