package main

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// circumstanceDocument has a gate for each flag that an answer can depend on.
func circumstanceDocument() *evaltest.Document {
	pass := func(gate string, when evaltest.Condition) *evaltest.SpecBuilder {
		return evaltest.NewGate(gate).Rule(evaltest.NewRule("r").When(when))
	}
	return evaltest.NewDocument(
		pass("global", evaltest.UserField("region", "any", "eu")),
		pass("later", evaltest.CurrentTime("after", testClock.UnixMilli()+1000)),
		pass("listed", evaltest.InSegmentList("beta")),
		pass("staging", evaltest.Environment("tier", "any", "staging")),
		pass("third_party", evaltest.UserAgentBased("browser_name", "any", "iTunes")),
		pass("zz_us", evaltest.IPBased("country", "any", "US")),
	)
}

func TestAnswersDependOnTheCircumstancesAskedFor(t *testing.T) {
	// Only the third-party parser knows this browser.
	const user = `{"userID":"u1","ip":"8.8.8.8","userAgent":"iTunes/8.1.1 (Windows; U)"}`
	// hashOfU1 begins base64(SHA-256("u1")).
	const hashOfU1 = "u4IDDbwr"
	tests := map[string]struct {
		args      []string
		lists     string
		listsFile string // lists.json when empty
		want      []string
	}{
		"by default the clock counts, and no more than the user": {want: nil},
		"an environment is that of users who name none":          {args: []string{"--environment", "staging"}, want: []string{"staging"}},
		"globals are fields of every user":                       {args: []string{"--globals", `{"region":"eu"}`}, want: []string{"global"}},
		"the instant may be in RFC 3339":                         {args: []string{"--now", "2023-11-14T23:13:22+01:00"}, want: []string{"later"}},
		"the instant may be in Unix milliseconds":                {args: []string{"--now", "1700000001001"}, want: []string{"later"}},
		"user agents may be read by the third-party parser":      {args: []string{"--third-party-user-agent-parser"}, want: []string{"third_party"}},
		"an ID list may be an array of unit IDs":                 {lists: `{"beta":["u0","u1"],"x":[]}`, want: []string{"listed"}},
		"an ID list may be a file of hashes":                     {lists: `{"beta":{"body":"+` + hashOfU1 + `\n"}}`, want: []string{"listed"}},
		"an ID list's lines may end in CR LF":                    {lists: `{"beta":{"body":"+` + hashOfU1 + `\r\n"}}`, want: []string{"listed"}},
		"a later line of an ID list undoes an earlier one":       {lists: `{"beta":{"body":"+` + hashOfU1 + `\n-` + hashOfU1 + `"}}`},
		"odd lines of an ID list mean nothing":                   {lists: `{"beta":{"body":"+\n\n?` + hashOfU1 + `\n +` + hashOfU1 + `\n"}}`},
		"an array that lacks the unit ID has no say":             {lists: `{"beta":["u10"]}`},
		"ID lists may stand beside other options":                {lists: `{"idLists":{"beta":["u1"]},"options":{}}`, want: []string{"listed"}},
		"a list named idLists is a list":                         {lists: `{"idLists":["x"],"beta":["u1"]}`, want: []string{"listed"}},
		"ID lists may be compressed":                             {lists: `{"beta":["u1"]}`, listsFile: "lists.json.gz", want: []string{"listed"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.lists != "" {
				file := cmp.Or(tc.listsFile, "lists.json")
				tc.args = append(tc.args, "--id-lists", writeFile(t, file, tc.lists))
			}
			specs := writeFile(t, "specs.json.gz", string(circumstanceDocument().JSON(t)))
			args := slices.Concat([]string{"evaluate", "--specs", specs, "--users", "-", "-o", "table"}, tc.args)
			got := execute(t, user, args...)
			if got.Code != 0 || got.Err != "" {
				t.Fatalf("code %d, stderr %q", got.Code, got.Err)
			}
			want := append(slices.Clone(tc.want), "zz_us")
			if diff := gocmp.Diff(want, passing(got.Out)); diff != "" {
				t.Errorf("gates that pass (-want +got):\n%s", diff)
			}
		})
	}
}

// passing are the gates that a table tells to pass.
func passing(table string) []string {
	var names []string
	for line := range strings.Lines(table) {
		if columns := strings.Fields(line); columns[len(columns)-1] == "true" {
			names = append(names, columns[2])
		}
	}
	return names
}
