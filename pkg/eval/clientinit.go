package eval

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"
)

// HashAlgorithm is how names are hidden in a client initialize response.
type HashAlgorithm uint8

// The hash algorithms of client initialize responses.
const (
	// HashDJB2 is [DJB2], the default.
	HashDJB2 HashAlgorithm = iota
	// HashSHA256 is SHA-256 in base64.
	HashSHA256
	// HashNone leaves names as they are.
	HashNone

	hashAlgorithms = iota
)

// String is the algorithm's name in responses: djb2, sha256 or none.
func (h HashAlgorithm) String() string {
	switch h {
	case HashDJB2:
		return "djb2"
	case HashSHA256:
		return "sha256"
	default:
		return "none"
	}
}

// ResponseFormat is the form of a client initialize response.
type ResponseFormat uint8

// The formats of client initialize responses.
const (
	// ResponseV1 is the default: each entry holds its exposures.
	ResponseV1 ResponseFormat = iota
	// ResponseV2 has each exposure once, under an ID.
	ResponseV2
	// ResponseInitV2 also has each value once, and short names for what entries say.
	ResponseInitV2
)

// SDKInfo is what a client initialize response says of its maker.
type SDKInfo struct{ Type, Version, SessionID string }

// ClientInitializeOptions are the settings of one client initialize response. The zero value is usable, and what the
// SDKs do by default.
type ClientInitializeOptions struct {
	// Hash hides names; one that is unknown counts as HashNone.
	Hash HashAlgorithm
	// Format is the form of the response.
	Format ResponseFormat
	// ClientKey is the client SDK key whose app the response is for, "" for all apps.
	ClientKey string
	// TargetAppID is the app the response is for; it wins over ClientKey.
	TargetAppID string
	// Include reports whether an entity may appear; nil lets all appear. It is called concurrently where responses are.
	Include func(Ref) bool
	// PreviousResponseHash is the full_checksum of the response that the client has. Where nothing changed it gets one
	// without content. "" leaves full_checksum out, as do formats other than ResponseV1.
	PreviousResponseHash string
	// IncludeLocalOverrides lets the evaluator's local overrides decide.
	IncludeLocalOverrides bool
	// RemoveIDType leaves id_type out.
	RemoveIDType bool
	// RemoveDefaultValueGates leaves out gates that are false by default and expose nothing.
	RemoveDefaultValueGates bool
	// RemoveExperimentsInLayers leaves out experiments that a layer holds.
	RemoveExperimentsInLayers bool
	// SDK is what the response says of its maker.
	SDK SDKInfo
}

// clientResponse is one response while it is written.
type clientResponse struct {
	options ClientInitializeOptions
	plan    *responsePlan
	scope   *scope
	dst     []byte
	// appID is the value of target_app conditions; where filter is set, what isn't for the app is left out.
	appID  value
	filter bool
	later  bool // the object being written has a member already
	bandit bool // the entry being written is a bandit's
	// seen and unique serve to drop repeated exposures.
	seen   map[SecondaryExposure]struct{}
	unique []SecondaryExposure
	// exposureIDs and valueIDs are the IDs handed out so far, exposures and values what they stand for, in order.
	exposureIDs map[exposureKey]string
	exposures   []exposureKey
	valueIDs    map[string]string
	values      []string
}

// exposureKey is an exposure with its gate's name as it is written.
type exposureKey SecondaryExposure

// AppendClientInitialize appends the client initialize response for a user: every gate, config and layer evaluated, in
// JSON, for a client SDK. A nil user has no ID and no fields. Nested gates are evaluated once for the whole response,
// whose entities are walked in order of name, so that equal calls give equal bytes. Where rules nest too deeply the
// response is blank, as the SDK's is.
func (e *Evaluator) AppendClientInitialize(dst []byte, u *User, now time.Time, o ClientInitializeOptions) []byte {
	if u == nil {
		u = e.nobody
	}
	if o.Hash >= hashAlgorithms {
		o.Hash = HashNone
	}
	c := &clientResponse{options: o, plan: e.snapshot.plan(o.Hash), dst: dst}
	s := &scope{
		e: e, user: u, now: now.UnixMilli(), response: c,
		rec: &Recorder{exposures: make([]SecondaryExposure, 0, exposureRoom)},
	}
	c.scope = s
	c.setApp(&e.snapshot.facts)
	start := len(dst)
	c.write()
	s.release()
	if s.failed {
		return appendBlank(c.dst[:start])
	}
	if o.PreviousResponseHash != "" && o.Format == ResponseV1 {
		sum := sha256.Sum256(c.dst[start:])
		checksum := strconv.FormatUint(binary.BigEndian.Uint64(sum[:8]), 10)
		if checksum == o.PreviousResponseHash {
			return appendBlank(c.dst[:start])
		}
		c.member("full_checksum")
		c.dst = appendJSONString(c.dst, checksum)
	}
	c.writeSDK()
	c.writeReplay()
	return append(c.dst, '}')
}

// exposureRoom is how many exposures have room before memory must be found for more.
const exposureRoom = 256

// appendBlank appends the response that tells a client to keep what it has.
func appendBlank(dst []byte) []byte {
	return append(dst, `{"feature_gates":{},"dynamic_configs":{},"layer_configs":{},"time":0,"has_updates":false,`+
		`"hash_used":"","sdkParams":{},"evaluated_keys":{},"param_stores":{}}`...)
}

// write writes all that the response's checksum covers.
func (c *clientResponse) write() {
	e := c.scope.e
	c.dst = append(c.dst, '{')
	c.writeGates()
	c.writeConfigs()
	c.writeLayers()
	c.writeStores()
	if c.options.Format != ResponseV1 {
		c.writeExposures()
	}
	if c.options.Format == ResponseInitV2 {
		c.writeValues()
		c.member("response_format")
		c.dst = append(c.dst, `"init-v2"`...)
	}
	c.member("time")
	c.dst = strconv.AppendInt(c.dst, e.snapshot.facts.time, 10)
	c.member("has_updates")
	c.dst = append(c.dst, "true"...)
	c.member("hash_used")
	c.dst = appendJSONString(c.dst, c.options.Hash.String())
	c.member("user")
	c.dst = e.LoggableUser(c.dst, c.scope.user)
	c.member("sdkParams")
	c.dst = append(c.dst, "{}"...)
	c.writeKeys()
}

// writeKeys writes the IDs that were evaluated, and a hash of the private attributes.
func (c *clientResponse) writeKeys() {
	u := c.scope.user
	c.member("evaluated_keys")
	w := objectWriter{dst: append(c.dst, '{')}
	if id := u.UserID(); id != "" {
		w.name("userID")
		w.dst = appendJSONString(w.dst, id)
	}
	w.set("customIDs", &u.customIDs)
	c.dst = append(w.dst, '}')
	if len(u.private.names) == 0 {
		return
	}
	var sum uint32
	for i, name := range u.private.names {
		sum += djb2(name + ":" + u.private.values[i].text)
	}
	c.member("pa_hash")
	c.dst = append(strconv.AppendUint(append(c.dst, '"'), uint64(sum), 10), '"')
}

func (c *clientResponse) writeSDK() {
	c.member("sdkInfo")
	w := objectWriter{dst: append(c.dst, '{')}
	for _, part := range [...][2]string{
		{"sdkType", c.options.SDK.Type}, {"sdkVersion", c.options.SDK.Version}, {"sessionId", c.options.SDK.SessionID},
	} {
		w.name(part[0])
		w.dst = appendJSONString(w.dst, part[1])
	}
	c.dst = append(w.dst, '}')
}

// member begins a member of the object being written. The name needs no escaping.
func (c *clientResponse) member(name string) {
	c.comma()
	c.dst = append(append(append(c.dst, '"'), name...), `":`...)
}

func (c *clientResponse) comma() {
	if c.later {
		c.dst = append(c.dst, ',')
	}
	c.later = true
}

// open begins an object, and close ends it.
func (c *clientResponse) open() {
	c.dst = append(c.dst, '{')
	c.later = false
}

func (c *clientResponse) close() {
	c.dst = append(c.dst, '}')
	c.later = true
}
