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
