package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/country"
	"github.com/statsig-operator/statsig-operator/pkg/eval/useragent"
)

// projectFlags are the flags of all offline commands: the rules, and the circumstances in which they are asked.
type projectFlags struct {
	specs, idLists, environment, globals, now string
	thirdPartyUserAgentParser                 bool

	// source is where reasons say that the config specs are from; empty, they don't say it.
	source string
}

// networkSource is the source of specs that an SDK has downloaded.
const networkSource = "Network"

func (f *projectFlags) addSpecs(flags *pflag.FlagSet) {
	flags.StringVar(&f.specs, "specs", "", "`FILE` with the config specs; - reads the standard input")
}

func (f *projectFlags) addCircumstances(flags *pflag.FlagSet) {
	flags.StringVar(&f.idLists, "id-lists", "",
		"`FILE` with the ID lists: {\"LIST\": [\"UNIT-ID\", …]} or {\"LIST\": {\"body\": \"+HASH\\n…\"}}")
	flags.StringVar(&f.environment, "environment", "", "environment `TIER` of users that name none (default that of the config specs)")
	flags.StringVar(&f.globals, "globals", "", "custom fields of every user, a `JSON` object; a user's own fields win")
	flags.BoolVar(&f.thirdPartyUserAgentParser, "third-party-user-agent-parser", false,
		"read user agents with the expressions of uap-core, as the SDK option of that name does")
	flags.StringVar(&f.now, "now", "", "`TIME` of the evaluation, in RFC 3339 or Unix milliseconds (default the current time)")
}

// project is what the flags stand for.
type project struct {
	evaluator *eval.Evaluator
	now       time.Time
}

// load reads the files that the flags name. now is the time where they give none.
func (f *projectFlags) load(stdin io.Reader, now time.Time) (*project, error) {
	var err error
	p := &project{now: now}
	if f.now != "" {
		if p.now, err = parseTime(f.now); err != nil {
			return nil, err
		}
	}
	options, err := f.options(stdin)
	if err != nil {
		return nil, err
	}
	text, err := readFile(f.specs, stdin)
	if err != nil {
		return nil, fmt.Errorf("reading config specs: %w", err)
	}
	document, err := eval.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("reading config specs from %s: %w", displayName(f.specs), err)
	}
	snapshot, err := eval.Compile(document, eval.Origin{Source: f.source})
	if err != nil {
		return nil, fmt.Errorf("reading config specs from %s: %w", displayName(f.specs), err)
	}
	p.evaluator = eval.NewEvaluator(snapshot, options)
	return p, nil
}

func (f *projectFlags) options(stdin io.Reader) (eval.Options, error) {
	options := eval.Options{Environment: f.environment, Country: country.New(), UserAgent: useragent.FirstParty{}}
	if f.thirdPartyUserAgentParser {
		parser, err := useragent.NewThirdParty()
		if err != nil {
			return options, fmt.Errorf("making the user agent parser: %w", err)
		}
		options.UserAgent = parser
	}
	if f.globals != "" {
		err := json.Unmarshal([]byte(f.globals), &options.GlobalCustomFields)
		switch _, isOther := errors.AsType[*json.UnmarshalTypeError](err); {
		case isOther || err == nil && options.GlobalCustomFields == nil:
			return options, errors.New("reading --globals: want a JSON object")
		case err != nil:
			return options, fmt.Errorf("reading --globals: %w", err)
		}
	}
	if f.idLists != "" {
		text, err := readFile(f.idLists, stdin)
		if err != nil {
			return options, fmt.Errorf("reading ID lists: %w", err)
		}
		lists, err := parseIDLists(text)
		if err != nil {
			return options, fmt.Errorf("reading ID lists from %s: %w", displayName(f.idLists), err)
		}
		options.IDLists = lists
	}
	return options, nil
}

// parseTime reads an instant in either of its two forms.
func parseTime(text string) (time.Time, error) {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("--now %q is neither a time in RFC 3339 nor Unix milliseconds", text)
	}
	return t, nil
}
