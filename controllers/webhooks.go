package controllers

import (
	"net/http"

	"k8s.io/apimachinery/pkg/types"
)

// webhooks hands a call to the project that its path names. Projects without a webhook and those that don't run here can't be told
// from projects that don't exist.
func (r *Runtimes) webhooks() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/webhooks/{namespace}/{name}", func(w http.ResponseWriter, request *http.Request) {
		name := types.NamespacedName{Namespace: request.PathValue("namespace"), Name: request.PathValue("name")}
		running, _ := r.lookup(name)
		if running == nil || running.webhook == nil {
			http.NotFound(w, request)
			return
		}
		running.webhook.ServeHTTP(w, request)
	})
	return mux
}
