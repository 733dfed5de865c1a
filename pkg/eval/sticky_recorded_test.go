package eval_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// stickyStatement is what the official SDKs' own tests state of a real document.
type stickyStatement struct {
	document string
	user     eval.UserAttributes
	ref      eval.Ref
	values   string // as the SDKs keep them
	sticky   eval.Sticky
	// wantRule is the rule ID, wantMember the value's member "value", or parameter; "" where the tests don't state it.
	wantRule, parameter, wantMember string
	wantPersisted                   bool
}

const (
	enforceDocument    = "java_enforce_sticky_dcs.json"
	projectDocument    = "eval_proj_dcs.json"
	holdoutExperiment  = "targeted_exp_in_unlayered_with_holdout"
	manyParameterLayer = "layer_with_many_params"
)

func stickyStatements() map[string]stickyStatement {
	targeted := func(id, targeted string) eval.UserAttributes {
		return eval.UserAttributes{UserID: id, Custom: values{"targeted": targeted}}
	}
	enforceValue := `{"enforce_exp":{"value":true,"json_value":{"value":"sticky_value"},"rule_id":"sticky_rule_id",` +
		`"group_name":"Sticky Group","secondary_exposures":[],"undelegated_secondary_exposures":[],` +
		`"config_delegate":%s,"explicit_parameters":null,"time":1700000000000,"config_version":null}}`
	experimentValue := fmt.Sprintf(enforceValue, "null")
	layerValue := `{"enforce_layer"` + fmt.Sprintf(enforceValue, `"enforce_exp"`)[len(`{"enforce_exp"`):]
	projectValue := `{"` + holdoutExperiment + `":{"value":true,"json_value":{"exp_val":"targeted_test"},` +
		`"rule_id":"6AGyyo5oYSXQ2sqa6SnAr2","group_name":"Test","secondary_exposures":[],"time":1700000000000}}`
	projectLayerValue := `{"` + manyParameterLayer + `":{"value":true,"json_value":{"a_string":"sticky_test"},` +
		`"rule_id":"7kGqFaUIGHjHJ5X7SOKJcM","group_name":"Test","secondary_exposures":[],` +
		`"config_delegate":"experiment_with_many_params","time":1700000000000}}`
	overrides, targeting := eval.Sticky{EnforceOverrides: true}, eval.Sticky{EnforceTargeting: true}
	overridden := eval.UserAttributes{UserID: "exp_override_" + holdoutExperiment + "_control" + "l"} // as the document has it
	inControl := eval.UserAttributes{UserID: "user-in-control"}
	return map[string]stickyStatement{
		"an experiment's value wins over an override rule": {
			document: enforceDocument, user: targeted("override-user", "yes"), ref: experimentRef("enforce_exp"),
			values: experimentValue, wantRule: "sticky_rule_id", wantMember: `"sticky_value"`, wantPersisted: true,
		},
		"an enforced override rule wins over an experiment's value": {
			document: enforceDocument, user: targeted("override-user", "yes"), ref: experimentRef("enforce_exp"),
			values: experimentValue, sticky: overrides, wantRule: "override_rule:userID:id_override",
			wantMember: `"override_value"`,
		},
		"enforced override rules that don't apply leave the value": {
			document: enforceDocument, user: targeted("plain-user", "yes"), ref: experimentRef("enforce_exp"),
			values: experimentValue, sticky: overrides, wantRule: "sticky_rule_id", wantPersisted: true,
		},
		"enforced targeting leaves the value of a targeted user": {
			document: enforceDocument, user: targeted("plain-user", "yes"), ref: experimentRef("enforce_exp"),
			values: experimentValue, sticky: targeting, wantMember: `"sticky_value"`, wantPersisted: true,
		},
		"enforced targeting drops the value of a user no longer targeted": {
			document: enforceDocument, user: targeted("plain-user", "no"), ref: experimentRef("enforce_exp"),
			values: experimentValue, sticky: targeting, wantRule: "targetingGate",
		},
		"a layer's value wins over an override rule": {
			document: enforceDocument, user: targeted("override-user", "yes"), ref: layerRef("enforce_layer"),
			values: layerValue, wantMember: `"sticky_value"`, wantPersisted: true,
		},
		"an enforced override rule wins over a layer's value": {
			document: enforceDocument, user: targeted("override-user", "yes"), ref: layerRef("enforce_layer"),
			values: layerValue, sticky: overrides, wantMember: `"override_value"`,
		},
		"enforced targeting drops a layer's value": {
			document: enforceDocument, user: targeted("plain-user", "no"), ref: layerRef("enforce_layer"),
			values: layerValue, sticky: targeting, wantRule: "targetingGate",
		},
		"a real experiment's value wins": {
			document: projectDocument, user: overridden, ref: experimentRef(holdoutExperiment), values: projectValue,
			wantRule: "6AGyyo5oYSXQ2sqa6SnAr2", wantPersisted: true,
		},
		"a real experiment's override rule wins when it is enforced": {
			document: projectDocument, user: overridden, ref: experimentRef(holdoutExperiment), values: projectValue,
			sticky: overrides, wantRule: "6AGyymqmwAOlJ2SevKrX80:userID:id_override",
		},
		"a real experiment's value stays where no override rule applies": {
			document: projectDocument, user: eval.UserAttributes{UserID: "not-overridden-user"},
			ref: experimentRef(holdoutExperiment), values: projectValue, sticky: overrides,
			wantRule: "6AGyyo5oYSXQ2sqa6SnAr2", wantPersisted: true,
		},
		"a real layer's value wins": {
			document: projectDocument, user: inControl, ref: layerRef(manyParameterLayer), values: projectLayerValue,
			wantRule: "7kGqFaUIGHjHJ5X7SOKJcM", wantPersisted: true,
		},
		"a real layer's override rule wins when it is enforced": {
			document: projectDocument, user: inControl, ref: layerRef(manyParameterLayer), values: projectLayerValue,
			sticky: overrides, parameter: "a_string", wantMember: `"control"`,
		},
	}
}

func TestStickyValuesOnRealDocuments(t *testing.T) {
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		t.Skip("CONFORMANCE_DIR is not set: the documents of real projects are not part of this repository")
	}
	for name, tc := range stickyStatements() {
		t.Run(name, func(t *testing.T) {
			text := readFile(t, filepath.Join(dir, "..", "data", tc.document))
			e := eval.NewEvaluator(compile(t, text), everything(nil))
			u := eval.NewUser(tc.user)
			mustUnmarshal(t, []byte(tc.values), &tc.sticky.Values)
			live := e.Evaluate(tc.ref, u, evaluatedAt, &eval.Recorder{})
			got, change := e.Stick(live, u, evaluatedAt, tc.sticky)
			if change != nil {
				t.Errorf("change %+v, want none", change)
			}
			if persisted := got.Details.String() == "Persisted"; persisted != tc.wantPersisted {
				t.Errorf("details %v, want persisted %t", got.Details, tc.wantPersisted)
			}
			if tc.wantRule != "" && got.RuleID != tc.wantRule {
				t.Errorf("rule %q, want %q", got.RuleID, tc.wantRule)
			}
			if member, _ := got.Parameter(cmp.Or(tc.parameter, "value")); tc.wantMember != "" && member != tc.wantMember {
				t.Errorf("value %s, want %s", member, tc.wantMember)
			}
		})
	}
}
