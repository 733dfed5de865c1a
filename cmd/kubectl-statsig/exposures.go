package main

import (
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/events"
)

type exposuresFlags struct{ streamFlags }

func newExposuresCommand(now func() time.Time) *cobra.Command {
	f := exposuresFlags{streamFlags{projectFlags: projectFlags{source: networkSource}}}
	cmd := &cobra.Command{
		Use:   "exposures --specs FILE --users FILE",
		Short: "Print the exposure events that reading everything would log, for a file of users",
		Long: "Print the exposure events that reading everything would log, for a file of users. Nothing is sent.\n\n" +
			"Reads config specs as the SDKs download them, and users in JSON, one a line. Prints an object for each user in\n" +
			"turn: \"u\" is the user's line, counted from 0, \"events\" has an event for each gate, then for each config, asked as an\n" +
			"experiment, then for each parameter of each layer, in the order of their names. Events have no time. Sampling and\n" +
			"the left-out repetitions of a running SDK are not applied. Files whose names end in .gz are decompressed. Lines that\n" +
			"are no user are reported, and the exit code is 1.",
		Example: "  kubectl statsig exposures --specs specs.json --users users.jsonl --environment production",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.stream(cmd, now(), func(p *project, _ *reporter) (string, func() printer, error) {
				all := p.allEntities()
				return "", func() printer { return newExposures(p, &all) }, nil
			})
		},
	}
	f.add(cmd)
	return cmd
}

// exposures prints the events of exposures.
type exposures struct {
	project  *project
	entities *entities
	recorder eval.Recorder
	user     []byte
	// parameters are the names in a layer's value, by its text: values are parts of the document, so that there are few.
	parameters map[string][]string
}

func newExposures(p *project, e *entities) *exposures {
	return &exposures{project: p, entities: e, parameters: map[string][]string{}}
}

// appendUser implements [printer].
func (x *exposures) appendUser(dst []byte, u int, user *eval.User) []byte {
	dst = strconv.AppendInt(append(dst, `{"u":`...), int64(u), 10)
	dst = append(dst, `,"events":[`...)
	x.user = x.project.evaluator.LoggableUser(x.user[:0], user)
	start := len(dst)
	for i := range sections {
		for j := range x.entities[i] {
			ref := x.entities[i][j].Ref
			if ref.Kind == eval.KindParameterStore {
				continue // exposed by what its parameters are read from
			}
			e := events.Exposure{Result: x.project.evaluator.Evaluate(ref, user, x.project.now, &x.recorder), User: x.user}
			if ref.Kind != eval.KindLayer {
				dst = appendEvent(dst, start, e)
				continue
			}
			for _, e.Parameter = range x.parametersOf(e.Result.Value) {
				dst = appendEvent(dst, start, e)
			}
		}
	}
	return append(dst, "]}\n"...)
}

// appendEvent appends an event to the list that begins at start.
func appendEvent(dst []byte, start int, e events.Exposure) []byte {
	before := len(dst)
	if before > start {
		dst = append(dst, ',')
	}
	after := len(dst)
	if dst = events.AppendExposure(dst, e); len(dst) == after {
		return dst[:before] // it is no exposure
	}
	return dst
}

// parametersOf are the names in a layer's value, sorted.
func (x *exposures) parametersOf(value string) []string {
	names, ok := x.parameters[value]
	if !ok {
		gjson.Parse(value).ForEach(func(name, _ gjson.Result) bool {
			names = append(names, name.Str)
			return true
		})
		slices.Sort(names)
		names = slices.Compact(names)
		x.parameters[value] = names
	}
	return names
}
