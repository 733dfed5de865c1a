package eval

import "math"

// The tables in this file are the document's format: which members count, which must stand, and of which type.

var documentObject = object[doc]{
	{"has_updates", true, func(r *reader, d *doc) { d.hasUpdates = r.tristate() }},
	{"time", true, func(r *reader, d *doc) { d.time = r.unsigned(math.MaxInt64) }},
	{"feature_gates", true, func(r *reader, d *doc) { d.gates = d.specs(r, KindGate) }},
	{"dynamic_configs", true, func(r *reader, d *doc) { d.configs = d.specs(r, KindDynamicConfig) }},
	{"layer_configs", false, func(r *reader, d *doc) { d.see("layer_configs"); d.layers = d.specs(r, KindLayer) }},
	{"condition_map", false, func(r *reader, d *doc) { d.see("condition_map"); d.readConditions(r) }},
	{"experiment_to_layer", false, func(r *reader, d *doc) {
		d.see("experiment_to_layer")
		r.each(func(string) { r.str() })
	}},
	{"checksum", false, nullable(func(r *reader, d *doc) { d.checksum = r.str() })},
	{"company_id", false, nullable(func(r *reader, _ *doc) { r.str() })},
	{"response_format", false, nullable(func(r *reader, _ *doc) { r.str() })},
	{"hashed_sdk_key_used", false, func(r *reader, d *doc) { d.hashedKey, _ = stringValue(r.raw()) }},
	{"default_environment", false, nullable(func(r *reader, d *doc) { d.defaultEnvironment = r.str() })},
	{"app_id", false, nullable(func(r *reader, d *doc) { d.appID = r.readable() })},
	{"param_stores", false, nullable(func(r *reader, d *doc) { d.stores = readMap(r, storeObject, (*rawStore).setName) })},
	{"cmab_configs", false, nullable(func(r *reader, d *doc) {
		d.bandits = readMap(r, banditObject, (*rawBandit).setName)
	})},
	{"override_rules", false, nullable(func(r *reader, d *doc) { d.readOverrideRules(r) })},
	{"overrides", false, nullable(func(r *reader, d *doc) { d.readOverrides(r) })},
	{"id_lists", false, nullable(func(r *reader, _ *doc) { r.each(func(string) { r.boolean() }) })},
	{"sdk_flags", false, nullable(func(r *reader, _ *doc) { r.each(func(string) { r.boolean() }) })},
	{"diagnostics", false, nullable(func(r *reader, _ *doc) { r.each(func(string) { r.number() }) })},
	{"sdk_configs", false, nullable(func(r *reader, d *doc) {
		d.sdkConfigs = r.captured(func() { r.each(func(string) { r.skip() }) })
	})},
	{"sdk_keys_to_app_ids", false, nullable(func(r *reader, d *doc) { d.appIDs = r.raw() })},
	{"hashed_sdk_keys_to_app_ids", false, nullable(func(r *reader, d *doc) { d.hashedAppIDs = r.raw() })},
	{"session_replay_info", false, nullable(func(r *reader, d *doc) {
		d.replay = r.captured(func() { sessionReplayObject.read(r, &struct{}{}) })
	})},
}

var sessionReplayObject = object[struct{}]{
	{"sampling_rate", false, nullable(func(r *reader, _ *struct{}) { r.number() })},
	{"targeting_gate", false, nullable(func(r *reader, _ *struct{}) { r.str() })},
	{"recording_blocked", false, nullable(func(r *reader, _ *struct{}) { r.boolean() })},
}

var specObject = object[rawSpec]{
	{"type", true, func(r *reader, _ *rawSpec) { r.str() }},
	{"salt", true, func(r *reader, s *rawSpec) { s.salt = r.str() }},
	{"enabled", true, func(r *reader, s *rawSpec) { s.enabled = r.boolean() }},
	{"defaultValue", true, func(r *reader, s *rawSpec) { s.defaultValue = r.returnable() }},
	{"rules", true, func(r *reader, s *rawSpec) { s.rules = r.readRules() }},
	{"idType", true, func(r *reader, s *rawSpec) { s.idType = r.str() }},
	{"entity", true, func(r *reader, s *rawSpec) { s.entity = r.str() }},
	{"version", false, nullable(func(r *reader, s *rawSpec) { s.version = r.unsigned(math.MaxUint32) })},
	{"isActive", false, nullable(func(r *reader, s *rawSpec) { s.isActive = r.tristate() })},
	{"hasSharedParams", false, nullable(func(r *reader, s *rawSpec) { s.sharedParameters = r.tristate() })},
	{"explicitParameters", false, nullable(func(r *reader, s *rawSpec) { s.explicitParameters = r.strings() })},
	{"targetAppIDs", false, nullable(func(r *reader, s *rawSpec) { s.targetAppIDs = r.strings() })},
	{"fieldsUsed", false, nullable(func(r *reader, _ *rawSpec) { r.strings() })},
	{"forwardAllExposures", false, nullable(func(r *reader, s *rawSpec) { s.forwardAllExposures = r.boolean() })},
	{"useNewLayerEval", false, nullable(func(r *reader, s *rawSpec) { s.useNewLayerEval = r.boolean() })},
}

var ruleObject = object[rawRule]{
	{"name", true, func(r *reader, _ *rawRule) { r.str() }},
	{"groupName", false, nullable(func(r *reader, l *rawRule) { l.groupName = r.str() })},
	{"passPercentage", true, func(r *reader, l *rawRule) { l.passPercentage = r.number() }},
	{"conditions", true, func(r *reader, l *rawRule) { r.readRuleConditions(l) }},
	{"returnValue", true, func(r *reader, l *rawRule) { l.returnValue = r.returnable() }},
	{"id", true, func(r *reader, l *rawRule) { l.id = r.str() }},
	{"salt", false, nullable(func(r *reader, l *rawRule) { l.salt, l.hasSalt = r.str(), true })},
	{"idType", true, func(r *reader, l *rawRule) { l.idType = r.str() }},
	{"configDelegate", false, nullable(func(r *reader, l *rawRule) { l.configDelegate, l.hasDelegate = r.str(), true })},
	{"isExperimentGroup", false, nullable(func(r *reader, l *rawRule) { l.experimentGroup = r.boolean() })},
	{"samplingRate", false, nullable(func(r *reader, l *rawRule) {
		l.samplingRate, l.hasSampling = r.unsigned(math.MaxInt64), true
	})},
}

var conditionObject = object[rawCondition]{
	{"type", true, func(r *reader, c *rawCondition) { c.kind = r.str() }},
	{"targetValue", false, func(r *reader, c *rawCondition) {
		if c.target = r.raw(); r.unreadable {
			c.target = ""
		}
	}},
	{"operator", false, nullable(func(r *reader, c *rawCondition) { c.operator, c.hasOperator = r.str(), true })},
	{"field", false, nullable(func(r *reader, c *rawCondition) { c.field, c.hasField = r.str(), true })},
	{"additionalValues", false, nullable(func(r *reader, c *rawCondition) { r.additionalValues(c) })},
	{"idType", true, func(r *reader, c *rawCondition) { c.idType = r.str() }},
}

var storeObject = object[rawStore]{
	{"parameters", true, func(r *reader, s *rawStore) {
		s.parameters = map[string]rawParameter{}
		r.each(func(name string) { s.parameters[name] = r.parameter() })
	}},
	{"targetAppIDs", false, nullable(func(r *reader, s *rawStore) { s.targetAppIDs = r.strings() })},
}

var parameterObject = object[parameterText]{
	{"ref_type", true, func(r *reader, p *parameterText) { p.refType = r.str() }},
	{"param_type", true, func(r *reader, _ *parameterText) { r.str() }},
	{"value", false, func(r *reader, p *parameterText) { p.value = r.readable() }},
	{"gate_name", false, func(r *reader, p *parameterText) { p.gate = r.raw() }},
	{"pass_value", false, func(r *reader, p *parameterText) { p.pass = r.readable() }},
	{"fail_value", false, func(r *reader, p *parameterText) { p.fail = r.readable() }},
	{"config_name", false, func(r *reader, p *parameterText) { p.config = r.raw() }},
	{"experiment_name", false, func(r *reader, p *parameterText) { p.experiment = r.raw() }},
	{"layer_name", false, func(r *reader, p *parameterText) { p.layer = r.raw() }},
	{"param_name", false, func(r *reader, p *parameterText) { p.param = r.raw() }},
}

var banditObject = object[rawBandit]{
	{"salt", true, func(r *reader, b *rawBandit) { b.salt = r.str() }},
	{"defaultValue", true, func(r *reader, b *rawBandit) { b.defaultValue = r.returnable() }},
	{"idType", true, func(r *reader, b *rawBandit) { b.idType = r.str() }},
	{"enabled", true, func(r *reader, b *rawBandit) { b.enabled = r.boolean() }},
	{"version", true, func(r *reader, b *rawBandit) { b.version = r.unsigned(math.MaxUint32) }},
	{"sampleRate", true, func(r *reader, b *rawBandit) { b.sampleRate = r.number() }},
	{"higherIsBetter", true, func(r *reader, b *rawBandit) { b.higherBetter = r.boolean() }},
	{"groups", true, func(r *reader, b *rawBandit) {
		r.elements(func() {
			b.groups = append(b.groups, rawArm{})
			armObject.read(r, &b.groups[len(b.groups)-1])
		})
	}},
	{"config", false, nullable(func(r *reader, b *rawBandit) {
		b.models, b.hasModels = map[string]rawModel{}, true
		r.each(func(name string) {
			var m rawModel
			modelObject.read(r, &m)
			b.models[name] = m
		})
	})},
	{"targetingGateName", false, nullable(func(r *reader, b *rawBandit) { b.targetGate, b.hasGate = r.str(), true })},
	{"targetAppIDs", false, nullable(func(r *reader, b *rawBandit) { b.targetAppIDs = r.strings() })},
}

var armObject = object[rawArm]{
	{"name", true, func(r *reader, a *rawArm) { a.name = r.str() }},
	{"parameterValues", true, func(r *reader, a *rawArm) { a.value = r.returnable() }},
	{"id", true, func(r *reader, a *rawArm) { a.id = r.str() }},
}

var modelObject = object[rawModel]{
	{"alpha", true, func(r *reader, m *rawModel) { m.alpha = r.number() }},
	{"intercept", true, func(r *reader, m *rawModel) { m.intercept = r.number() }},
	{"records", true, func(r *reader, m *rawModel) { m.records = r.number() }},
	{"weightsNumerical", true, func(r *reader, m *rawModel) { m.numerical = r.weights() }},
	{"weightsCategorical", true, func(r *reader, m *rawModel) {
		m.categorical = map[string]map[string]float64{}
		r.each(func(name string) { m.categorical[name] = r.weights() })
	}},
}

var mappingObject = object[rawMapping]{
	{"new_config_name", true, func(r *reader, m *rawMapping) { m.target = r.str() }},
	{"rules", true, func(r *reader, m *rawMapping) {
		r.elements(func() {
			m.rules = append(m.rules, rawMappingRule{})
			mappingRuleObject.read(r, &m.rules[len(m.rules)-1])
		})
	}},
}

var mappingRuleObject = object[rawMappingRule]{
	{"rule_name", true, func(r *reader, m *rawMappingRule) { m.name = r.str() }},
	{"start_time", false, nullable(func(r *reader, m *rawMappingRule) { m.start = r.signed() })},
}
