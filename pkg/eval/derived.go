package eval

// agentField is a part of a parsed user agent.
type agentField uint8

const (
	noAgentField agentField = iota
	agentOSName
	agentOSVersion
	agentBrowserName
	agentBrowserVersion
	agentFieldCount
)

// agentFields are the names of the parts, in lower case.
var agentFields = map[string]agentField{
	"os_name": agentOSName, "osname": agentOSName,
	"os_version": agentOSVersion, "osversion": agentOSVersion,
	"browser_name": agentBrowserName, "browsername": agentBrowserName,
	"browser_version": agentBrowserVersion, "browserversion": agentBrowserVersion,
}

// maxUserAgent is the longest user agent that is parsed, in bytes.
const maxUserAgent = 1000

// agentRef and ipRef are where the texts to work on are looked up.
var (
	agentRef = newFieldRef("userAgent")
	ipRef    = newFieldRef("ip")
)

// agentValues are the parts of one user agent, kept with the user: parsing costs more than a whole evaluation.
type agentValues struct {
	parser UserAgentParser
	text   string
	values [agentFieldCount]value
}

// countryValue is the country of one address, kept with the user.
type countryValue struct {
	lookup CountryLookup
	ip     string
	value  value
}

// agentField is a field of the user, even if it is null, or the part of its user agent of that name.
func (s *scope) agentField(c *condition) *value {
	if v := s.user.field(c.field, &s.e.globals); v != absent {
		return v
	}
	if c.agent == noAgentField || s.e.options.UserAgent == nil {
		return absent
	}
	agent := s.user.field(agentRef, &s.e.globals)
	if !agent.hasText || len(agent.text) > maxUserAgent {
		return absent
	}
	return &s.agentValues(agent.text).values[c.agent]
}

func (s *scope) agentValues(text string) *agentValues {
	parser := s.e.options.UserAgent
	if s.e.cacheAgents {
		if a := s.user.agent.Load(); a != nil && a.parser == parser && a.text == text {
			return a
		}
	}
	parsed := parser.Parse(text)
	a := &agentValues{parser: parser, text: text}
	a.values[agentOSName].setString(parsed.OSName)
	a.values[agentOSVersion].setString(parsed.OSVersion)
	a.values[agentBrowserName].setString(parsed.BrowserName)
	a.values[agentBrowserVersion].setString(parsed.BrowserVersion)
	if s.e.cacheAgents {
		s.user.agent.Store(a)
	}
	return a
}

// ipField is a field of the user, even if it is null, or for the field country the country of its address.
func (s *scope) ipField(c *condition) *value {
	if v := s.user.field(c.field, &s.e.globals); v != absent {
		return v
	}
	if c.field.name != "country" || s.e.options.Country == nil {
		return absent
	}
	ip := s.user.field(ipRef, &s.e.globals)
	if !ip.hasText {
		return absent
	}
	return s.country(ip.text)
}

func (s *scope) country(ip string) *value {
	lookup := s.e.options.Country
	if s.e.cacheCountries {
		if k := s.user.origin.Load(); k != nil && k.lookup == lookup && k.ip == ip {
			return &k.value
		}
	}
	k := &countryValue{lookup: lookup, ip: ip}
	if code, ok := lookup.Country(ip); ok {
		k.value.setString(code)
	}
	if s.e.cacheCountries {
		s.user.origin.Store(k)
	}
	return &k.value
}
