package ofrep

import "net/http"

const contentType = "application/json"

// errorCode is an OpenFeature error code.
type errorCode string

const (
	codeParseError          errorCode = "PARSE_ERROR"
	codeTargetingKeyMissing errorCode = "TARGETING_KEY_MISSING"
	codeInvalidContext      errorCode = "INVALID_CONTEXT"
	codeGeneral             errorCode = "GENERAL"
	codeFlagNotFound        errorCode = "FLAG_NOT_FOUND"
	codeNotReady            errorCode = "PROVIDER_NOT_READY"
)

// failure is an answer without a value.
type failure struct {
	status  int
	code    errorCode // "" where the protocol has none
	details string
}

// notReady is answered while there is nothing to answer from. Of the statuses that the protocol knows, 500 is the one
// that makes clients fall back to what they have.
var notReady = failure{http.StatusInternalServerError, codeNotReady, "the project has no config specs yet"}

func invalidContext(details string) *failure {
	return &failure{http.StatusBadRequest, codeInvalidContext, details}
}

func parseError(details string) *failure {
	return &failure{http.StatusBadRequest, codeParseError, details}
}

// fail answers with a failure; key is nil where the request isn't for one flag.
func fail(w http.ResponseWriter, key *string, f failure) {
	out := make([]byte, 0, 256)
	next := "{"
	if key != nil {
		out, next = appendMember(out, next, "key", *key), ","
	}
	out = f.append(out, next)
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(f.status)
	_, _ = w.Write(out) //nolint:gosec // JSON, and said to be; who no longer listens misses it
}

// append appends the members of a failure and closes the object they are in.
func (f *failure) append(dst []byte, next string) []byte {
	if f.code != "" {
		dst, next = appendMember(dst, next, "errorCode", string(f.code)), ","
	}
	return append(appendMember(dst, next, "errorDetails", f.details), '}')
}
