package eval

import "strconv"

// writeExposureList writes the exposures of one entry: themselves, or in the later formats their IDs.
func (c *clientResponse) writeExposureList(name string, list []SecondaryExposure) {
	list = c.distinct(list)
	if len(list) == 0 && c.short() {
		return
	}
	c.member(name)
	c.dst = append(c.dst, '[')
	for i := range list {
		if i > 0 {
			c.dst = append(c.dst, ',')
		}
		if c.options.Format == ResponseV1 {
			c.dst = appendExposure(c.dst, c.plan.name(list[i].Gate), &list[i])
		} else {
			c.dst = append(c.dst, c.exposureID(&list[i])...)
		}
	}
	c.dst = append(c.dst, ']')
}

func appendExposure(dst []byte, gate string, x *SecondaryExposure) []byte {
	dst = append(append(dst, `{"gate":`...), gate...)
	dst = append(append(dst, `,"gateValue":"`...), x.GateValue...)
	dst = appendJSONString(append(dst, `","ruleID":`...), x.RuleID)
	return append(dst, '}')
}

// exposureID is an exposure's ID in quotes. Like the reference it leaves the gate names of bandits plain in the format
// with short names.
func (c *clientResponse) exposureID(x *SecondaryExposure) string {
	key := exposureKey(*x)
	if !c.bandit || !c.short() {
		key.Gate = c.plan.algorithm.hash(x.Gate)
	}
	if id, ok := c.exposureIDs[key]; ok {
		return id
	}
	if c.exposureIDs == nil {
		c.exposureIDs = map[exposureKey]string{}
	}
	id := strconv.Itoa(len(c.exposures))
	if !c.short() {
		id = DJB2(key.Gate + ":" + key.GateValue + ":" + key.RuleID)
	}
	id = `"` + id + `"`
	c.exposureIDs[key] = id
	c.exposures = append(c.exposures, key)
	return id
}

// writeExposures writes what the IDs of exposures stand for.
func (c *clientResponse) writeExposures() {
	c.member("exposures")
	c.open()
	for _, key := range c.exposures {
		c.comma()
		c.dst = append(append(c.dst, c.exposureIDs[key]...), ':')
		c.dst = appendExposure(c.dst, string(appendJSONString(nil, key.Gate)), (*SecondaryExposure)(&key))
	}
	c.close()
}

// valueID is a value's ID in quotes.
func (c *clientResponse) valueID(value string) string {
	if id, ok := c.valueIDs[value]; ok {
		return id
	}
	if c.valueIDs == nil {
		c.valueIDs = map[string]string{}
	}
	id := `"` + strconv.Itoa(len(c.values)) + `"`
	c.valueIDs[value] = id
	c.values = append(c.values, value)
	return id
}

// writeValues writes what the IDs of values stand for.
func (c *clientResponse) writeValues() {
	c.member("values")
	c.open()
	for _, value := range c.values {
		c.comma()
		c.dst = append(append(c.dst, c.valueIDs[value]...), ':')
		c.dst = append(c.dst, value...)
	}
	c.close()
}
