package gate

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"

	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// source is an expression's text.
type source string

// issue puts the first thing that CEL found wrong in one line for users.
func (s source) issue(issues []*cel.Error) error {
	if len(issues) == 0 {
		return errors.New("the expression is not understood")
	}
	first := issues[0]
	if strings.Contains(first.Message, takesName) {
		// What is wrong with the text as such, a missing quote for instance, makes a good call look wrong as well.
		for _, i := range issues {
			if strings.HasPrefix(i.Message, syntaxError) {
				first = i
				break
			}
		}
	}
	line, column := first.Location.Line(), first.Location.Column()
	message := explain(subject.Unalias(first.Message), s.wordBefore(line, column))
	return errors.New(s.located(line, column, message))
}

// errorAt is an error at a part of the expression.
func (s source) errorAt(info *ast.SourceInfo, id int64, message string) error {
	return errors.New(s.at(info, id, message))
}

// at puts the position of a part of the expression in front of a message.
func (s source) at(info *ast.SourceInfo, id int64, message string) string {
	location := info.GetStartLocation(id)
	return s.located(location.Line(), location.Column(), message)
}

// located puts a position in front of a message, and bounds it. Lines count from 1 and columns, as CEL gives them, from
// 0; what has no line concerns the expression as a whole.
func (s source) located(line, column int, message string) string {
	if line <= 0 {
		return subject.OneLine(message)
	}
	return subject.OneLine(fmt.Sprintf("%d:%d: %s", line, s.start(line, column)+1, message))
}

// start is where the word begins that CEL means by a position: it places a call at its parenthesis and a field at its
// dot.
func (s source) start(line, column int) int {
	text := s.line(line)
	if column < 0 || column >= len(text) {
		return max(column, 0)
	}
	switch text[column] {
	case '(':
		end := column
		for end > 0 && text[end-1] == ' ' {
			end--
		}
		begin := end
		for begin > 0 && isWord(text[begin-1]) {
			begin--
		}
		if begin < end {
			return begin
		}
	case '.':
		for next := column + 1; next < len(text); next++ {
			if isWord(text[next]) {
				return next
			}
		}
	}
	return column
}

// wordBefore returns the last word before a position, "" for none on its line.
func (s source) wordBefore(line, column int) string {
	text := s.line(line)
	text = text[:min(max(column, 0), len(text))]
	words := strings.FieldsFunc(string(text), func(r rune) bool { return !isWord(r) })
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// line returns a line's characters, in which CEL counts columns; nil for a line that does not exist.
func (s source) line(number int) []rune {
	lines := strings.Split(string(s), "\n")
	if number < 1 || number > len(lines) {
		return nil
	}
	return []rune(lines[number-1])
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
