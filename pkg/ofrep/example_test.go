package ofrep_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/ofrep"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

func ExampleHandler() {
	document, err := eval.Decode(statsigtest.DemoProject())
	if err != nil {
		fmt.Println(err)
		return
	}
	snapshot, err := eval.Compile(document, eval.Origin{Source: "Bootstrap"})
	if err != nil {
		fmt.Println(err)
		return
	}
	project := ofrep.Project{
		Evaluator: eval.NewEvaluator(snapshot, eval.Options{}),
		Version:   "settings and ID lists, version 1",
		Expose: func(e ofrep.Exposure) {
			fmt.Println("exposed:", e.Result.Ref, e.Result.RuleID, "to", e.User.UserID())
		},
	}
	h, err := ofrep.New(ofrep.Options{Project: func(*http.Request) ofrep.Project { return project }, Now: time.Now})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, key := range []string{"new_checkout", "experiment:button_color.color"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/ofrep/v1/evaluate/flags/"+key,
			strings.NewReader(`{"context":{"targetingKey":"shop/checkout"}}`)))
		fmt.Println(w.Code, gjson.Get(w.Body.String(), "value"), gjson.Get(w.Body.String(), "reason"))
	}
	// Output:
	// exposed: Gate/new_checkout 7EvICnb0ISdG3SHdwLgQ1H to shop/checkout
	// 200 true SPLIT
	// exposed: Experiment/button_color 148KfD9wIOyXZ3lqeRWZb0 to shop/checkout
	// 200 green SPLIT
}
