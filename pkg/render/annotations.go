package render

import (
	"fmt"
	"regexp"
	"strings"
)

const (
	// MaxAnnotationsSize bounds keys and values of all annotations of a target together, in bytes: half of what the API
	// server takes for all annotations of an object.
	MaxAnnotationsSize = 128 << 10

	maxPrefixLength = 253
)

var prefixPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// reservedDomains belong to Kubernetes, which acts on annotations below them: who may write a binding need not be
// allowed that.
var reservedDomains = []string{"kubernetes.io", "k8s.io"}

// Annotations renders entries as annotations: the key is prefix, a slash and the entry's name, the value is written as
// in format Keys. previous is what the object holds now; only keys with the prefix count. The error is an
// [*EntryError], a [*TooLargeError], or that of [ValidatePrefix].
func Annotations(prefix string, entries []Entry, previous map[string]string) (Rendered, error) {
	if err := ValidatePrefix(prefix); err != nil {
		return Rendered{}, err
	}
	if err := validate(entries); err != nil {
		return Rendered{}, err
	}
	members, outcomes := settle(entries, Text, func() lookup {
		return func(name string) (string, bool) {
			text, ok := previous[AnnotationKey(prefix, name)]
			return text, ok
		}
	})
	data := make(map[string]string, len(members))
	for _, m := range members {
		data[AnnotationKey(prefix, m.name)] = m.text
	}
	if size := sizeOf(data); size > MaxAnnotationsSize {
		return Rendered{}, &TooLargeError{Size: size, Limit: MaxAnnotationsSize}
	}
	return Rendered{Data: data, Outcomes: outcomes}, nil
}

// AnnotationKey returns the key of an entry's annotation.
func AnnotationKey(prefix, name string) string { return prefix + "/" + name }

// ValidatePrefix reports a prefix that annotations cannot have: it must be a DNS subdomain outside kubernetes.io and
// k8s.io.
func ValidatePrefix(prefix string) error {
	if len(prefix) > maxPrefixLength || !prefixPattern.MatchString(prefix) {
		return fmt.Errorf("annotation prefix %q is not a DNS subdomain, such as flags.example.com", prefix)
	}
	for _, domain := range reservedDomains {
		if prefix == domain || strings.HasSuffix(prefix, "."+domain) {
			return fmt.Errorf("annotation prefix %q is reserved: %s belongs to Kubernetes", prefix, domain)
		}
	}
	return nil
}
