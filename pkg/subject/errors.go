package subject

import (
	"strings"
	"unicode"
)

// maxMessage bounds what CEL says of one expression, in runes. Its syntax errors list every token that could have come
// next.
const maxMessage = 256

// FieldError says what is wrong with the expression of one field.
type FieldError struct {
	// Field is the field's path, such as user.custom.region.
	Field string
	// Message is one line. It quotes no value of a private attribute.
	Message string
}

// Error returns the field and the message.
func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

// FieldErrors are all the expressions of a template that do not compile, in the order of the template's fields.
type FieldErrors []*FieldError

// Error returns all of the errors in one line.
func (e FieldErrors) Error() string {
	lines := make([]string, len(e))
	for i, field := range e {
		lines[i] = field.Error()
	}
	return strings.Join(lines, "; ")
}

// Unwrap returns the errors of the single fields.
func (e FieldErrors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, field := range e {
		errs[i] = field
	}
	return errs
}

// oneLine returns message bounded, without line breaks and other control characters.
func oneLine(message string) string {
	message = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(message, "\uFFFD"))
	if runes := []rune(message); len(runes) > maxMessage {
		return string(runes[:maxMessage-1]) + "…"
	}
	return message
}
