package ofrep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// maxNesting bounds how deeply a body nests. Values of users are flat, or nearly so.
const maxNesting = 32

// request is the body of a request.
type request struct {
	// context is the text of the context, "" where there is none.
	context string
	user    *eval.User
}

// read reads the body of a request.
func (h *Handler) read(r *http.Request, s *scratch) (request, *failure) {
	body, err := readAll(r.Body, s.body[:0], h.options.MaxBodyBytes)
	s.body = body
	if err != nil {
		return request{}, h.unreadable(err)
	}
	return parse(string(body))
}

var errTooLong = errors.New("too long")

// unreadable says why a body could not be read. The server around the handler may have a bound of its own.
func (h *Handler) unreadable(err error) *failure {
	bound := &http.MaxBytesError{Limit: int64(h.options.MaxBodyBytes)}
	if errors.Is(err, errTooLong) || errors.As(err, &bound) {
		return parseError(fmt.Sprintf("the body is larger than %d bytes", bound.Limit))
	}
	return parseError("the body ends early")
}

// readAll appends what is read, limit bytes at most.
func readAll(in io.Reader, dst []byte, limit int) ([]byte, error) {
	if cap(dst) == 0 {
		dst = make([]byte, 0, 1<<10)
	}
	for {
		if len(dst) > limit {
			return dst, errTooLong
		}
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := in.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case errors.Is(err, io.EOF):
			if len(dst) > limit {
				return dst, errTooLong
			}
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}

// parse reads a body. Of members that are there twice the last one counts, as in JavaScript.
func parse(body string) (request, *failure) {
	switch {
	case !utf8.ValidString(body):
		return request{}, parseError("the body is not UTF-8")
	case nestsDeeply(body):
		return request{}, parseError(fmt.Sprintf("the body nests more than %d levels deep", maxNesting))
	case !gjson.Valid(body):
		return request{}, parseError("the body is not JSON: " + whyNotJSON(body))
	}
	parsed := gjson.Parse(body)
	if !parsed.IsObject() {
		return request{}, parseError(`the body is no object like {"context":{"targetingKey":"…"}}`)
	}
	var context gjson.Result
	parsed.ForEach(func(name, member gjson.Result) bool {
		if name.Str == "context" {
			context = member
		}
		return true
	})
	user, problem := userOf(context)
	return request{context: context.Raw, user: user}, problem
}

// nestsDeeply is asked first, since whoever reads JSON goes one level deeper for each.
func nestsDeeply(text string) bool {
	depth := 0
	inString := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			inString = !inString
		case inString:
			if c == '\\' {
				i++
			}
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// whyNotJSON says what is wrong, and where.
func whyNotJSON(text string) string {
	var ignored json.RawMessage
	err := json.Unmarshal([]byte(text), &ignored)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return fmt.Sprintf("%s at byte %d", syntax, syntax.Offset)
	}
	return "it is damaged"
}
