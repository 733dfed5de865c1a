package eval

import (
	"reflect"
	"slices"
	"sync/atomic"
	"time"
)

// IDLists answers membership in ID lists. Implementations are immutable or safe for concurrent use.
type IDLists interface {
	// Contains reports whether the list holds hash, the first eight characters of base64(SHA-256(id)). It is false
	// for an unknown list.
	Contains(list, hash string) bool
}

// UserAgentParser parses user agents. Implementations are safe for concurrent use.
type UserAgentParser interface {
	// Parse returns the parts of a user agent; those it can't tell are "".
	Parse(userAgent string) UserAgent
}

// UserAgent is what ua_based conditions can read.
type UserAgent struct{ OSName, OSVersion, BrowserName, BrowserVersion string }

// CountryLookup maps IP addresses to countries. Implementations are safe for concurrent use.
type CountryLookup interface {
	// Country returns the ISO code, false when there is none.
	Country(ip string) (string, bool)
}

// Options are the evaluation settings of one project. The zero value is usable.
type Options struct {
	// Environment is the environment tier; "" is the document's default_environment.
	Environment string
	// GlobalCustomFields are custom fields of every user; a user's own win.
	GlobalCustomFields map[string]any
	// IDLists answers in_segment_list; nil knows no list.
	IDLists IDLists
	// UserAgent parses user agents; nil leaves ua_based conditions with the user's own fields.
	UserAgent UserAgentParser
	// Country maps IP addresses; nil leaves ip_based conditions with the user's own fields.
	Country CountryLookup
	// Overrides are local overrides, nil for none.
	Overrides *Overrides
}

// Evaluator is a snapshot with a project's settings. It is immutable and safe for concurrent use; making one is cheap.
type Evaluator struct {
	snapshot    *Snapshot
	options     Options
	globals     fieldSet
	environment fieldSet
	nobody      *User
	// cacheAgents and cacheCountries are false for implementations that can't be compared, and so not recognised in a
	// user's cache.
	cacheAgents, cacheCountries bool
	// now is the value of current_time conditions at the instant asked for last.
	now atomic.Pointer[instantValue]
}

// NewEvaluator combines a snapshot with a project's settings. The maps in o must not be changed afterwards.
func NewEvaluator(s *Snapshot, o Options) *Evaluator {
	if o.Environment == "" {
		o.Environment = s.facts.defaultEnvironment
	}
	e := &Evaluator{
		snapshot: s, options: o, globals: newFieldSet(o.GlobalCustomFields), nobody: NewUser(UserAttributes{}),
		cacheAgents:    o.UserAgent != nil && reflect.ValueOf(o.UserAgent).Comparable(),
		cacheCountries: o.Country != nil && reflect.ValueOf(o.Country).Comparable(),
	}
	if o.Environment != "" {
		e.environment = newStringSet(map[string]string{"tier": o.Environment})
	}
	return e
}

// Snapshot is the snapshot the evaluator answers from.
func (e *Evaluator) Snapshot() *Snapshot { return e.snapshot }

// Recorder collects secondary exposures. Reused over calls it costs no allocation; the exposures of a Result stay valid
// until the next call with the same Recorder. Of one evaluation it keeps 65,536 at most: gates that name one another
// twice double them with each level, which the reference follows until memory ends. What lies beyond is left out; the
// answer is the same. The zero value is ready.
type Recorder struct {
	exposures []SecondaryExposure
	// partialRule is the ID of the last rule asked that takes a share of the users only.
	partialRule string
	// hashedNobody is set where a user without an ID was hashed by the user ID.
	hashedNobody bool
}

const (
	// maxDepth is how many gates and experiments may be open at once.
	maxDepth = 300
	// maxHops bounds mappings and experiment_group conditions, which the reference follows without bound.
	maxHops = 10
	// maxSteps bounds the rules and conditions of one evaluation. Nothing honest comes near it: gates are remembered
	// within an evaluation, so only a document made to be slow gets here.
	maxSteps = 1 << 24
	// maxExposures is how many exposures one evaluation collects, those included that it drops later.
	maxExposures = 1 << 16
	// costPerStep is how much of a regular expression's work counts as one step: evaluations of documents made to be slow
	// end after seconds.
	costPerStep = 4
	// bytesPerStep is how much of a client initialize response counts as one step of work. It bounds what documents can
	// make of a value or an exposure that many entities share.
	bytesPerStep = 16
	// exposureSize is what an exposure takes in memory and in a response, without its names.
	exposureSize = 256
)

// scope is the state of one evaluation. It lives on the stack, and holds the result by value so that it does too.
type scope struct {
	e    *Evaluator
	user *User
	rec  *Recorder // nil: exposures are not collected
	res  Result
	now  int64
	// first is where the list of exposures of the entity being evaluated begins in rec.
	first int
	// nested counts open gates and delegates, and the gates that were asked for in vain: like the reference it isn't
	// counted down for those.
	nested int
	steps  int
	// collected counts exposures up to maxExposures.
	collected   int
	hops        uint8
	unsupported bool
	overridden  bool
	failed      bool
	typed       bool // the ID type was set
	undelegated bool // the list of undelegated exposures was set, if only to an empty one
	inLayer     bool
	memo        *memo // nil until a gate is met
	// returned is the value that a rule or the default gave, nil where there is none.
	returned *returnable
	// response is what sets evaluation for a client initialize response apart, nil for single calls.
	response *clientResponse
}

// Evaluate answers for one entity of kind gate, dynamic config, experiment or layer. A nil user has no ID and no
// fields. rec may be nil: then exposures are not collected.
func (e *Evaluator) Evaluate(r Ref, u *User, now time.Time, rec *Recorder) Result {
	if u == nil {
		u = e.nobody
	}
	s := scope{e: e, user: u, rec: rec, now: now.UnixMilli()}
	s.res.Ref, s.res.Version, s.res.SamplingRate = r, -1, -1
	if rec != nil {
		*rec = Recorder{exposures: rec.exposures[:0]}
	}
	s.finish(s.evaluateName(r))
	s.release()
	return s.res
}

// evaluateName starts at a name. Names the document doesn't have can still have local overrides.
func (s *scope) evaluateName(r Ref) (recognized bool) {
	found := s.e.snapshot.specs(r.Kind)[r.Name]
	if found == nil {
		return s.e.options.Overrides != nil && s.override(r.Kind, r.Name)
	}
	return s.evaluate(found, r.Kind)
}

// finish fills in the provenance.
func (s *scope) finish(recognized bool) {
	d := &s.res.Details
	if s.failed {
		s.res = Result{Ref: s.res.Ref, Version: -1, SamplingRate: -1}
		d.Reason = ReasonError
		return
	}
	if s.rec != nil {
		s.res.SecondaryExposures = s.exposures()
	}
	d.Source = s.e.snapshot.origin.Source
	d.LCUT = s.e.snapshot.facts.time
	d.ReceivedAt = s.e.snapshot.origin.ReceivedAt
	switch {
	case !recognized:
		d.Reason = ReasonUnrecognized
	case s.overridden:
		d.Source, d.Reason = SourceLocalOverride, ReasonRecognized
	case s.unsupported:
		d.Reason = ReasonUnsupported
	default:
		d.Reason = ReasonRecognized
	}
}

// exposures is the current list. It is never nil: an empty list and none differ in what is reported.
func (s *scope) exposures() []SecondaryExposure {
	all := s.rec.exposures
	if len(all) == s.first {
		return []SecondaryExposure{}
	}
	return all[s.first:len(all):len(all)]
}

// expose appends one exposure.
func (s *scope) expose(gate string, pass bool, ruleID string) {
	if s.rec == nil || s.room(1, len(gate)+len(ruleID)) == 0 {
		return
	}
	gateValue := "false"
	if pass {
		gateValue = "true"
	}
	s.rec.exposures = append(s.rec.exposures, SecondaryExposure{Gate: gate, GateValue: gateValue, RuleID: ruleID})
}

// evaluate answers for one spec. The order of decision is local override, mapping, bandit, rules. It returns false for
// a name that nothing is known of, and then leaves the result alone.
func (s *scope) evaluate(sp *spec, kind Kind) (recognized bool) {
	if s.e.options.Overrides != nil && s.override(kind, sp.name) {
		return true
	}
	if len(sp.mappings) > 0 && s.evaluateMapping(sp, kind) {
		return true
	}
	if sp.bandit != nil && kind == KindExperiment {
		s.evaluateBandit(sp.bandit)
		return true
	}
	if sp.missing {
		return false
	}
	res := &s.res
	if !s.typed {
		res.IDType, s.typed = sp.idType, true
	}
	if res.Version < 0 {
		res.Version = sp.version
	}
	if sp.isActive != unset {
		res.IsExperimentActive = sp.isActive == yes
	}
	if sp.sharedParameters != unset {
		s.inLayer = sp.sharedParameters == yes
	}
	if sp.explicitParameters != nil {
		res.ExplicitParameters = sp.explicitParameters
	}
	if kind == KindLayer && sp.useNewLayerEval {
		s.evaluateNewLayer(sp)
		return true
	}
	s.evaluateRules(sp)
	return true
}

// descend opens one more level; ok is false when that is too deep, and the whole evaluation has failed.
func (s *scope) descend() (ok bool) {
	s.nested++
	s.res.Pass = false
	s.res.Value, s.returned = "", nil
	if s.nested > maxDepth {
		s.failed = true
	}
	return !s.failed
}

// step counts work done; it fails the evaluation when there was too much of it.
func (s *scope) step(n int) (ok bool) {
	s.steps += n
	if s.steps > maxSteps {
		s.failed = true
	}
	return !s.failed
}

// room counts n more exposures, whose names have some length, and returns how many of them may be kept. A call leaves out
// what is too much of it, since its answer is the same without; a client initialize response fails.
func (s *scope) room(n, names int) int {
	if s.response != nil {
		if !s.step((n*exposureSize + names) / bytesPerStep) {
			return 0
		}
		return n
	}
	n = min(n, maxExposures-s.collected)
	s.collected += n
	return n
}

// finalize ends a spec that a rule or the default has decided.
func (s *scope) finalize(sp *spec, l *rule) {
	s.res.SamplingRate = -1
	if l != nil && l.hasSampling {
		s.res.SamplingRate = l.samplingRate
	}
	s.res.ForwardAllExposures = sp.forwardAllExposures
	if s.nested > 0 {
		s.nested--
		return
	}
	if s.rec == nil || s.undelegated || len(s.exposures()) == 0 {
		return
	}
	s.res.Undelegated, s.undelegated = s.exposures(), true
}

// reset forgets all but what was asked for, the memo and the work done.
func (s *scope) reset() {
	s.res = Result{Ref: s.res.Ref, Version: -1, SamplingRate: -1}
	s.nested, s.unsupported, s.overridden, s.typed, s.undelegated = 0, false, false, false, false
	s.inLayer, s.returned = false, nil
	if s.rec != nil && len(s.rec.exposures) > s.first {
		s.dropExposures()
	}
}

// dropExposures empties the current list. The memo still refers to what is dropped, so it must not be overwritten: the
// lists before it are copied, or there is no room for more anyway.
func (s *scope) dropExposures() {
	kept := s.rec.exposures[:s.first]
	if s.room(s.first, 0) == s.first {
		kept = slices.Clone(kept)
	}
	s.rec.exposures = kept
}
