package eval

import "slices"

// setApp finds the app that the response is for.
func (c *clientResponse) setApp(f *facts) {
	o := &c.options
	if o.TargetAppID != "" {
		c.appID.setString(o.TargetAppID)
		c.filter = true
		return
	}
	app := f.appID
	if o.ClientKey != "" {
		// A map that doesn't have the key takes the app away; that of hashed keys comes last.
		if f.appIDs != "" {
			app, _ = jsonMember(f.appIDs, o.ClientKey)
		}
		if f.hashedAppIDs != "" {
			app, _ = jsonMember(f.hashedAppIDs, DJB2(o.ClientKey))
		}
	}
	if app != "" {
		c.appID.set(parseAny(app))
	}
	c.filter = o.ClientKey != "" && c.appID.kind == kindString
}

// includes reports whether an entity is for this response's app, and wanted.
func (c *clientResponse) includes(kind Kind, name string, targetAppIDs []string) bool {
	if c.filter && !slices.Contains(targetAppIDs, c.appID.text) {
		return false
	}
	return c.options.Include == nil || c.options.Include(Ref{kind, name})
}

// evaluate answers for one entity with what the response has found out of nested gates so far. It returns false when
// the whole response has failed.
func (c *clientResponse) evaluate(p *plannedEntry) bool {
	s := c.scope
	// The memo refers to the exposures so far, so the list goes on behind them.
	s.rec.exposures = s.rec.exposures[len(s.rec.exposures):]
	s.first = 0
	s.reset()
	s.res.Ref = Ref{p.kind, p.spec.name}
	c.bandit = p.bandit
	s.evaluate(p.spec, p.kind)
	// Many entities can share one value, which the document holds once and the response many times.
	return s.step(len(s.res.Value) / bytesPerStep)
}

// maxScanned is the longest list whose repetitions are found by comparing all with all.
const maxScanned = 16

// distinct returns a list without its repetitions, in order of first appearance: list itself if it has none.
func (c *clientResponse) distinct(list []SecondaryExposure) []SecondaryExposure {
	if len(list) < 2 {
		return list
	}
	c.unique = c.unique[:0]
	if len(list) <= maxScanned {
		for i := range list {
			if !slices.Contains(c.unique, list[i]) {
				c.unique = append(c.unique, list[i])
			}
		}
	} else {
		if c.seen == nil {
			c.seen = map[SecondaryExposure]struct{}{}
		}
		clear(c.seen)
		for _, x := range list {
			if _, ok := c.seen[x]; !ok {
				c.seen[x] = struct{}{}
				c.unique = append(c.unique, x)
			}
		}
	}
	if len(c.unique) == len(list) {
		return list
	}
	return slices.Clone(c.unique)
}

// value is what a config or layer has for a value. One that is no object appears as it is, and none as null.
func (c *clientResponse) value() string {
	s := c.scope
	switch {
	case s.res.Value != "":
		return s.res.Value
	case s.returned == nil:
		return "null"
	case s.returned.literal == yes:
		return "true"
	case s.returned.literal == no:
		return "false"
	default:
		return "null"
	}
}
