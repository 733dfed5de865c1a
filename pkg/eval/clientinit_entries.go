package eval

import "strings"

// entryNames are the names of an entry's members. Empty ones are left out.
type entryNames struct {
	name, ruleID, exposures, idType, value, passed, group, active, inExperiment, allocated, explicit, undelegated string
	deviceBased, inLayer, parameterRules                                                                          string
}

var (
	longNames = &entryNames{
		name: "name", ruleID: "rule_id", exposures: "secondary_exposures", idType: "id_type", value: "value",
		passed: "passed", group: "group_name", active: "is_experiment_active", inExperiment: "is_user_in_experiment",
		allocated: "allocated_experiment_name", explicit: "explicit_parameters",
		undelegated: "undelegated_secondary_exposures", deviceBased: "is_device_based", inLayer: "is_in_layer",
		parameterRules: "parameter_rule_ids",
	}
	shortNames = &entryNames{
		ruleID: "r", exposures: "s", idType: "i", value: "v", passed: "p", group: "gn", active: "ea",
		inExperiment: "ue", allocated: "ae", explicit: "ep", undelegated: "us",
	}
)

// short reports whether the response has the short names.
func (c *clientResponse) short() bool { return c.options.Format == ResponseInitV2 }

func (c *clientResponse) names() *entryNames {
	if c.short() {
		return shortNames
	}
	return longNames
}

func (c *clientResponse) writeGates() {
	c.member("feature_gates")
	c.open()
	for i := range c.plan.gates {
		p := &c.plan.gates[i]
		if !c.includes(KindGate, p.spec.name, p.targetAppIDs) {
			continue
		}
		if !c.evaluate(p) {
			return
		}
		s := c.scope
		if c.options.RemoveDefaultValueGates && p.spec.entity == entities[KindGate] && s.res.RuleID == "default" &&
			!s.res.Pass && len(s.exposures()) == 0 {
			continue
		}
		c.begin(p)
		switch {
		case !c.short():
			c.member("value")
			c.bool(s.res.Pass)
		case s.res.Pass:
			c.member("v")
			c.bool(true)
		}
		c.close()
	}
	c.close()
}

func (c *clientResponse) writeConfigs() {
	c.member("dynamic_configs")
	c.open()
	var taken *spec // by its bandit
	for i := range c.plan.configs {
		p := &c.plan.configs[i]
		if p.spec == taken || !c.includes(p.kind, p.spec.name, p.targetAppIDs) {
			continue
		}
		if p.bandit {
			taken = p.spec
		}
		if !c.evaluate(p) {
			return
		}
		if c.options.RemoveExperimentsInLayers && p.experiment && c.scope.inLayer {
			continue
		}
		c.writeConfig(p)
	}
	c.close()
}

// writeConfig writes a dynamic config, experiment or autotune.
func (c *clientResponse) writeConfig(p *plannedEntry) {
	res, n := &c.scope.res, c.names()
	c.begin(p)
	c.writeValue(n)
	if p.kind == KindDynamicConfig {
		c.member(n.passed)
		c.bool(res.Pass)
	} else {
		if res.GroupName != "" {
			c.member(n.group)
			c.dst = appendJSONString(c.dst, res.GroupName)
		}
		if c.scope.inLayer && n.inLayer != "" {
			c.member(n.inLayer)
			c.bool(true)
		}
		if res.ExplicitParameters != nil && !c.short() {
			c.writeStrings(n.explicit, res.ExplicitParameters)
		}
		if p.experiment {
			c.writeParticipation(n)
		}
	}
	c.close()
}

func (c *clientResponse) writeLayers() {
	c.member("layer_configs")
	c.open()
	n := c.names()
	for i := range c.plan.layers {
		p := &c.plan.layers[i]
		if !c.includes(KindLayer, p.spec.name, p.targetAppIDs) {
			continue
		}
		if !c.evaluate(p) {
			return
		}
		res := &c.scope.res
		c.begin(p)
		c.writeValue(n)
		if res.GroupName != "" {
			c.member(n.group)
			c.dst = appendJSONString(c.dst, res.GroupName)
		}
		if res.ConfigDelegate != "" {
			c.member(n.allocated)
			c.dst = append(c.dst, c.plan.name(res.ConfigDelegate)...)
			c.writeParticipation(n)
		}
		if len(res.ExplicitParameters) > 0 || !c.short() {
			c.writeStrings(n.explicit, res.ExplicitParameters)
		}
		c.writeExposureList(n.undelegated, res.Undelegated)
		if p.spec.useNewLayerEval && res.parameterRules != nil && c.options.Format == ResponseV1 {
			c.writeParameterRules(n.parameterRules, res.parameterRules)
		}
		c.close()
	}
	c.close()
}

// begin opens an entry and writes what all kinds have.
func (c *clientResponse) begin(p *plannedEntry) {
	res, n := &c.scope.res, c.names()
	c.comma()
	c.dst = append(append(c.dst, p.name...), ':')
	c.open()
	if n.name != "" {
		c.member(n.name)
		c.dst = append(c.dst, p.name...)
	}
	if !c.short() || res.RuleID != "default" {
		c.member(n.ruleID)
		c.dst = appendJSONString(c.dst, res.RuleID)
	}
	c.writeExposureList(n.exposures, c.scope.exposures())
	if !c.options.RemoveIDType {
		c.member(n.idType)
		c.dst = appendJSONString(c.dst, res.IDType)
	}
}

// writeValue writes the value of a config or layer.
func (c *clientResponse) writeValue(n *entryNames) {
	c.member(n.value)
	if c.short() {
		c.dst = append(c.dst, c.valueID(c.value())...)
		return
	}
	c.dst = append(c.dst, c.value()...)
	c.member(n.deviceBased)
	c.bool(strings.EqualFold(c.scope.res.IDType, "stableID"))
}

// writeParticipation writes whether the experiment runs, and has the user.
func (c *clientResponse) writeParticipation(n *entryNames) {
	c.member(n.active)
	c.bool(c.scope.res.IsExperimentActive)
	c.member(n.inExperiment)
	c.bool(c.scope.res.IsExperimentGroup)
}

func (c *clientResponse) writeParameterRules(name string, rules []parameterRule) {
	c.member(name)
	w := objectWriter{dst: append(c.dst, '{')}
	for _, r := range rules {
		w.name(r.parameter)
		w.dst = appendJSONString(w.dst, r.ruleID)
	}
	c.dst = append(w.dst, '}')
}

func (c *clientResponse) writeStrings(name string, list []string) {
	c.member(name)
	c.dst = append(c.dst, '[')
	for i, text := range list {
		if i > 0 {
			c.dst = append(c.dst, ',')
		}
		c.dst = appendJSONString(c.dst, text)
	}
	c.dst = append(c.dst, ']')
}

func (c *clientResponse) bool(b bool) {
	if b {
		c.dst = append(c.dst, "true"...)
	} else {
		c.dst = append(c.dst, "false"...)
	}
}

// writeStores writes the parameter stores, which are the same for everyone.
func (c *clientResponse) writeStores() {
	c.member("param_stores")
	c.open()
	for i := range c.plan.stores {
		p := &c.plan.stores[i]
		if c.includes(KindParameterStore, p.name, p.targetAppIDs) {
			c.comma()
			c.dst = append(c.dst, p.text...)
		}
	}
	c.close()
}
