package statsigtest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/statsigtest"
)

// A client of the server sees a gate flip. In a test, Start(t, …) takes the place of Listen and Close.
func ExampleServer() {
	ctx := context.Background()
	srv, err := statsigtest.Listen(ctx, "127.0.0.1:0", statsigtest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	fmt.Println("new_checkout for shop/cart:", passes(ctx, srv, "new_checkout", "shop/cart"))
	if err := srv.SetGate("new_checkout", true); err != nil {
		fmt.Println(err)
	}
	fmt.Println("after the flip:", passes(ctx, srv, "new_checkout", "shop/cart"))
	fmt.Println("specs were downloaded", srv.RequestCount(statsigtest.EndpointSpecs), "times")
	// Output:
	// new_checkout for shop/cart: false
	// after the flip: true
	// specs were downloaded 2 times
}

// passes is a client in miniature: it downloads the specs and evaluates one gate.
func passes(ctx context.Context, srv *statsigtest.Server, gate, userID string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.SpecsURL()+"/secret-example.json", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return false
	}
	doc, err := eval.Decode(text)
	if err != nil {
		return false
	}
	now := time.Now()
	snapshot, err := eval.Compile(doc, eval.Origin{Source: "Network", ReceivedAt: now})
	if err != nil {
		return false
	}
	user := eval.NewUser(eval.UserAttributes{UserID: userID})
	return eval.NewEvaluator(snapshot, eval.Options{}).Evaluate(eval.Ref{Kind: eval.KindGate, Name: gate}, user, now, nil).Pass
}
