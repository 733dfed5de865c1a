package subject

import (
	"regexp"
	"strings"
)

// namespaceAlias is what the compiler knows the variable namespace by: CEL reserves that word, Kubernetes users expect
// it. It is as long as the word, so that positions in error messages stay right.
const namespaceAlias = "namespac_"

// words splits an expression far enough to tell a variable from a field, a string literal and a comment.
var words = regexp.MustCompile(`//[^\n]*` +
	`|(?:[bB]?[rR]|[rR][bB])(?:"""(?s:.*?)"""|'''(?s:.*?)'''|"[^"\n]*"|'[^'\n]*')` +
	`|"""(?s:\\.|[^\\])*?"""|'''(?s:\\.|[^\\])*?'''` +
	`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'` +
	`|\.\s*\??\s*[A-Za-z_]\w*` +
	`|[A-Za-z_]\w*`)

// aliased returns source with namespaceAlias for the variable namespace.
func aliased(source string) string {
	if !strings.Contains(source, namespaceVariable) {
		return source
	}
	return words.ReplaceAllStringFunc(source, func(word string) string {
		if word == namespaceVariable {
			return namespaceAlias
		}
		return word
	})
}

// unaliased undoes aliased in an error message.
func unaliased(message string) string {
	return strings.ReplaceAll(message, namespaceAlias, namespaceVariable)
}
