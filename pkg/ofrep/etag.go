package ofrep

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// answerForm changes whenever equal evaluations come to be written otherwise.
const answerForm = "1"

// tagBytes is how much of a hash stands in a tag.
const tagBytes = 16

// entityTag stands for all that a bulk answer depends on. It is equal for as long as the answer is: until is the first
// instant at which the clock changes an answer, so any two moments without such an instant between them have the same.
func entityTag(s *scratch, snapshot, version string, until time.Time, context string) string {
	text := append(s.out[:0], answerForm...)
	for _, part := range []string{snapshot, version} {
		text = append(strconv.AppendInt(append(text, ' '), int64(len(part)), 10), ' ')
		text = append(text, part...)
	}
	text = append(text, ' ')
	if !until.IsZero() {
		text = strconv.AppendInt(text, until.UnixMilli(), 10)
	}
	text = append(append(text, ' '), context...)
	s.out = text
	sum := sha256.Sum256(text)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:tagBytes]) + `"`
}

// matches reports whether a header If-None-Match lists a tag, or "*". Tags count as equal whether weak or not, because
// proxies that compress make strong ones weak.
func matches(header []string, tag string) bool {
	for _, list := range header {
		for item := range strings.SplitSeq(list, ",") {
			item = strings.TrimSpace(item)
			if item == "*" || strings.TrimPrefix(item, "W/") == tag {
				return true
			}
		}
	}
	return false
}
