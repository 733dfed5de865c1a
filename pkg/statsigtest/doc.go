// Package statsigtest is a local server that speaks Statsig's server protocol: config specs, ID lists and log_event.
// It is made for tests and demos, this project's own and those of teams that run the operator in an envtest suite. It
// serves any specs document byte for byte, takes edits while it runs (flip a gate, change a percentage, replace a
// list), shows the events that arrived, and fails on request.
//
// It is not a Statsig console and evaluates nothing: an edit rewrites rules, and whoever downloads them draws the
// conclusions. It has no access control worth the name, so it belongs on a loopback address. Tests that only need
// values can leave out every option and get the demo project, which README.md describes.
//
// SDK keys are compared by fingerprint and shown as fingerprints; keys found inside logged events are blanked before
// the events are kept.
//
// # In an envtest suite
//
// Start one server per suite, point a StatsigProject at it, change the rules as the story goes, and wait for what the
// cluster should do about it:
//
//	srv := statsigtest.Start(t, statsigtest.Options{Keys: []secret.Key{secret.NewKey("secret-envtest")}})
//
//	project := &v1alpha1.StatsigProject{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"}}
//	project.Spec.SDKKeySecretRef = &v1alpha1.SecretKeyRef{Name: "statsig", Key: "sdkKey"} // a Secret that holds the key above
//	project.Spec.Specs = &v1alpha1.SpecsSpec{
//		Sources:  []v1alpha1.SpecsSource{{Type: v1alpha1.SourceHTTP, URL: srv.URL()}}, // ID lists and events follow it
//		Interval: &metav1.Duration{Duration: time.Second},
//	}
//	// create the project and a FlagBinding with an entry newCheckout for the gate new_checkout, wait for its ConfigMap
//
//	if err := srv.SetGate("new_checkout", true); err != nil {
//		t.Fatal(err)
//	}
//	// the ConfigMap's newCheckout becomes "true" within one sync interval
//
//	exposure, err := srv.WaitForEvent(ctx, func(e statsigtest.Event) bool {
//		return e.Metadata["gate"] == "new_checkout" && e.UserID == "shop/cart" && e.Metadata["gateValue"] == "true"
//	})
//
//	err = srv.Fail(statsigtest.Failure{Endpoint: statsigtest.EndpointSpecs, Status: http.StatusServiceUnavailable})
//	// the ConfigMap stays as it is; the project's SpecsFresh condition says why
//	srv.Heal()
//
// [Server.RequestCount] proves that traffic grows with projects and not with bindings.
//
// Other processes do the same over HTTP under /control/; see [Server.ServeHTTP].
//
// A [Server] is safe for concurrent use.
package statsigtest
