package eval_test

import (
	"fmt"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

func Example() {
	document, err := eval.Decode([]byte(`{
		"has_updates": true, "time": 1700000000000,
		"feature_gates": {"new_checkout": {
			"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true, "defaultValue": false,
			"idType": "userID", "rules": [{
				"id": "staff", "name": "staff", "passPercentage": 100, "conditions": ["1"], "returnValue": true,
				"idType": "userID"}]}},
		"dynamic_configs": {}, "layer_configs": {}, "experiment_to_layer": {},
		"condition_map": {"1": {
			"type": "user_field", "field": "email", "operator": "str_ends_with_any", "targetValue": ["@example.com"],
			"idType": "userID"}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	snapshot, err := eval.Compile(document, eval.Origin{Source: "Bootstrap"})
	if err != nil {
		fmt.Println(err)
		return
	}
	evaluator := eval.NewEvaluator(snapshot, eval.Options{Environment: "production"})
	user := eval.NewUser(eval.UserAttributes{UserID: "shop/checkout", Email: "team@example.com"})
	gate := eval.Ref{Kind: eval.KindGate, Name: "new_checkout"}

	result := evaluator.Evaluate(gate, user, time.UnixMilli(1_700_000_000_000), nil)
	fmt.Println(result.Pass, result.RuleID, result.Details)
	fmt.Println(snapshot.Closure(gate).Fields)
	// Output:
	// true staff Bootstrap:Recognized
	// [email]
}

// exampleEvaluator has a layer that hands its users to a running experiment.
func exampleEvaluator() (*eval.Evaluator, error) {
	document, err := eval.Decode([]byte(`{
		"has_updates": true, "time": 1700000000000, "feature_gates": {}, "experiment_to_layer": {}, "condition_map": {},
		"dynamic_configs": {"button_color": {
			"type": "dynamic_config", "entity": "experiment", "salt": "s", "enabled": true, "isActive": true,
			"defaultValue": {"color": "gray", "size": 2}, "idType": "userID", "explicitParameters": ["color"], "rules": [{
				"id": "test", "name": "Test", "groupName": "Test", "isExperimentGroup": true, "passPercentage": 100,
				"conditions": [], "returnValue": {"color": "green", "size": 3}, "idType": "userID"}]}},
		"layer_configs": {"buttons": {
			"type": "dynamic_config", "entity": "layer", "salt": "s", "enabled": true, "defaultValue": {"color": "gray"},
			"idType": "userID", "rules": [{
				"id": "assign", "name": "", "passPercentage": 100, "conditions": [], "returnValue": {}, "idType": "userID",
				"configDelegate": "button_color"}]}}}`))
	if err != nil {
		return nil, err
	}
	snapshot, err := eval.Compile(document, eval.Origin{Source: "Bootstrap"})
	if err != nil {
		return nil, err
	}
	return eval.NewEvaluator(snapshot, eval.Options{}), nil
}

// A parameter is read as the type of its fallback. Where that isn't what the layer has, nothing was read, and nothing is
// to be exposed.
func ExampleAs() {
	evaluator, err := exampleEvaluator()
	if err != nil {
		fmt.Println(err)
		return
	}
	user, now := eval.NewUser(eval.UserAttributes{UserID: "u"}), time.UnixMilli(1_700_000_000_000)
	layer := evaluator.Evaluate(eval.Ref{Kind: eval.KindLayer, Name: "buttons"}, user, now, nil)

	color, _ := layer.Parameter("color")
	fmt.Println(eval.As(color, "gray"))
	fmt.Println(eval.As(color, 7))
	size, _ := layer.Parameter("size")
	fmt.Println(eval.As(size, 1.5))
	missing, _ := layer.Parameter("missing")
	fmt.Println(eval.As(missing, true))
	// Output:
	// green true
	// 7 false
	// 3 true
	// true false
}

// A user stays in the first group, whatever the rules say later: the change returned belongs into storage.
func ExampleEvaluator_Stick() {
	evaluator, err := exampleEvaluator()
	if err != nil {
		fmt.Println(err)
		return
	}
	user, now := eval.NewUser(eval.UserAttributes{UserID: "u"}), time.UnixMilli(1_700_000_000_000)
	live := evaluator.Evaluate(eval.Ref{Kind: eval.KindExperiment, Name: "button_color"}, user, now, new(eval.Recorder))

	kept := map[string]eval.StickyValue{}
	result, change := evaluator.Stick(live, user, now, eval.Sticky{Values: kept})
	fmt.Println(result.GroupName, result.Details, "save under", change.Key, change.Name)

	kept["button_color"] = eval.StickyValue{Value: `{"color":"blue"}`, GroupName: "Control", RuleID: "control", Version: -1}
	result, change = evaluator.Stick(live, user, now, eval.Sticky{Values: kept})
	fmt.Println(result.GroupName, result.Details, change == nil)
	// Output:
	// Test Bootstrap:Recognized save under u:userID button_color
	// Control Persisted true
}

// Overrides are for everyone, or for the IDs named.
func ExampleOverrides() {
	evaluator, err := exampleEvaluator()
	if err != nil {
		fmt.Println(err)
		return
	}
	var overrides eval.Overrides
	overrides.ExperimentGroup("button_color", "Test")
	overrides.Experiment("button_color", `{"color":"pink"}`, "designer")
	evaluator = eval.NewEvaluator(evaluator.Snapshot(), eval.Options{Overrides: &overrides})

	now, experiment := time.UnixMilli(1_700_000_000_000), eval.Ref{Kind: eval.KindExperiment, Name: "button_color"}
	for _, id := range []string{"u", "designer"} {
		result := evaluator.Evaluate(experiment, eval.NewUser(eval.UserAttributes{UserID: id}), now, nil)
		fmt.Println(result.Value, result.Details)
	}
	// Output:
	// {"color": "green", "size": 3} LocalOverride:Recognized
	// {"color":"pink"} LocalOverride:Recognized
}
