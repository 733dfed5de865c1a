package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// testDocument has one or two entities of each kind.
func testDocument() *evaltest.Document {
	return evaltest.NewDocument(
		evaltest.NewGate("staff_gate").Rule(evaltest.NewRule("staff").When(evaltest.PassGate("segment:staff"))),
		evaltest.NewSegment("staff").Rule(
			evaltest.NewRule("mail").When(evaltest.UserField("email", "str_ends_with_any", "@example.com")),
		),
		evaltest.NewHoldout("nobody").Disabled(),
		evaltest.NewDynamicConfig("limits").Default(map[string]any{"rps": 10, "name": "a<b"}).With("version", nil),
		evaltest.NewExperiment("color").Rule(
			evaltest.NewRule("test").When(evaltest.PassGate("staff_gate")).Group("Test").Return(map[string]any{"color": "green"}),
		),
		evaltest.NewLayer("page").Rule(evaltest.NewRule("all").Delegate("color")),
	).Store("ui", map[string]any{
		"theme": evaltest.Static("dark"), "staff": evaltest.FromGate("staff_gate", 1.0, 0), "gone": evaltest.FromLayer("page", "nope"),
	})
}

const (
	staffUser = `{"userID":"u1","email":"daniel@example.com"}`
	otherUser = `{"userID":"u2"}`
)

// evaluate runs the command on testDocument and on users from the standard input.
func evaluate(tb testing.TB, users string, args ...string) outcome {
	tb.Helper()
	specs := writeFile(tb, "specs.json", string(testDocument().JSON(tb)))
	return execute(tb, users, slices.Concat([]string{"evaluate", "--specs", specs, "--users", "-"}, args)...)
}

func TestJSONLinesHoldEveryEntityOfTheDocument(t *testing.T) {
	want := `{"u":0,"gates":{` +
		`"nobody":{"id_type":"userID","reason":"Recognized","rule_id":"disabled","value":false,"version":1},` +
		`"segment:staff":{"id_type":"userID","reason":"Recognized","rule_id":"mail","value":true,"version":1},` +
		`"staff_gate":{"id_type":"userID","reason":"Recognized","rule_id":"staff","value":true,"version":1}},` +
		`"configs":{` +
		`"color":{"group_name":"Test","id_type":"userID","is_experiment_active":true,"reason":"Recognized","rule_id":"test",` +
		`"secondary_exposures":[{"gate":"staff_gate","gateValue":"true","ruleID":"staff"}],"value":{"color":"green"},"version":1},` +
		`"limits":{"group_name":null,"id_type":"userID","is_experiment_active":false,"reason":"Recognized","rule_id":"default",` +
		`"secondary_exposures":[],"value":{"name":"a<b","rps":10},"version":null}},` +
		`"layers":{"page":{"allocated_experiment_name":"color","group_name":"Test","id_type":"userID",` +
		`"is_experiment_active":true,"reason":"Recognized","rule_id":"test",` +
		`"secondary_exposures":[{"gate":"staff_gate","gateValue":"true","ruleID":"staff"}],"value":{"color":"green"},"version":1}},` +
		`"stores":{"ui":{"reason":"Recognized","values":{"gone":null,"staff":1,"theme":"dark"}}}}` + "\n"
	got := evaluate(t, staffUser+"\n")
	if diff := cmp.Diff(outcome{Out: want}, got); diff != "" {
		t.Errorf("evaluate (-want +got):\n%s", diff)
	}
}

func TestEachUserIsAnsweredUnderItsLine(t *testing.T) {
	line := func(u, ruleID, value string) string {
		return `{"u":` + u + `,"gates":{"staff_gate":{"id_type":"userID","reason":"Recognized","rule_id":"` + ruleID +
			`","value":` + value + `,"version":1}},"configs":{},"layers":{},"stores":{}}` + "\n"
	}
	staff, other := func(u string) string { return line(u, "staff", "true") }, func(u string) string { return line(u, "default", "false") }
	tests := map[string]struct {
		users string
		want  outcome
	}{
		"users keep their order":            {otherUser + "\n" + staffUser + "\n", outcome{Out: other("0") + staff("1")}},
		"the last line needs no line break": {otherUser + "\n" + staffUser, outcome{Out: other("0") + staff("1")}},
		"lines may end in CR LF":            {otherUser + "\r\n" + staffUser + "\r\n", outcome{Out: other("0") + staff("1")}},
		"blank lines count and say nothing": {otherUser + "\n\n \n" + staffUser + "\n", outcome{Out: other("0") + staff("3")}},
		"no users have no answers":          {"", outcome{}},
		"a broken line hides no other": {
			otherUser + "\n{\"userID\":\n" + staffUser + "\n[]\n",
			outcome{
				Out: other("0") + staff("2"),
				Err: "error: the standard input:2: invalid user: at byte 11: unexpected end of text\n" +
					"error: the standard input:4: invalid user: want a JSON object\n",
				Code: 1,
			},
		},
		"a line that is too long hides no other": {
			strings.Repeat(" ", maxUserLength+1) + "\n" + staffUser + "\n",
			outcome{Out: staff("1"), Err: "error: the standard input:1: longer than 16777216 bytes\n", Code: 1},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, evaluate(t, tc.users, "--only", "gate:staff_gate")); diff != "" {
				t.Errorf("evaluate (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheTableHasARowForEachAnswer(t *testing.T) {
	want := outcome{Out: `
USER    KIND    NAME       REASON        RULE                     GROUP            VALUE
0       gate    staff_gate Recognized    staff                    -                true
0       config  color      Recognized    test                     Test             {"color":"green"}
0       layer   page       Recognized    test                     Test             {"color":"green"}
0       store   ui         Recognized    -                        -                {"gone":null,"staff":1,"theme":"dark"}
1       gate    staff_gate Recognized    default                  -                false
1       config  color      Recognized    default                  -                {}
1       layer   page       Recognized    default                  -                {}
1       store   ui         Recognized    -                        -                {"gone":null,"staff":0,"theme":"dark"}
`[1:]}
	got := evaluate(t, staffUser+"\n"+otherUser+"\n", "-o", "table", "--only", "store:ui,layer:page", "--only", "gate:staff_gate,config:color")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("evaluate (-want +got):\n%s", diff)
	}
}

func TestTheTableEscapesWhatWouldSteerATerminal(t *testing.T) {
	specs := evaltest.NewDocument(evaltest.NewGate("red\x1b[31m").Rule(evaltest.NewRule("a\nb")))
	got := execute(t, string(specs.JSON(t)), "evaluate", "--specs", "-", "--users", writeFile(t, "u.jsonl", otherUser), "-o", "table")
	for _, want := range []string{`"red\x1b[31m"`, `"a\nb"`} {
		if !strings.Contains(got.Out, want) {
			t.Errorf("table lacks %s:\n%s", want, got.Out)
		}
	}
}

func TestNamesThatTheDocumentLacksAreReportedAndAnswered(t *testing.T) {
	const (
		config = `{"group_name":null,"id_type":null,"is_experiment_active":false,"reason":"Unrecognized","rule_id":"",` +
			`"secondary_exposures":[],"value":null,"version":null}`
		gate = `{"id_type":null,"reason":"Unrecognized","rule_id":"","value":false,"version":null}`
	)
	want := outcome{
		Out: `{"u":0,"gates":{"no:gate":` + gate + `,"nobody":` +
			`{"id_type":"userID","reason":"Recognized","rule_id":"disabled","value":false,"version":1}},"configs":{"no":` + config +
			`},"layers":{"no":{"allocated_experiment_name":null,` + config[1:] + `},"stores":{"no":{"reason":"Unrecognized","values":{}}}}` + "\n",
		Err: `error: --only "config:no": the config specs have nothing of that name
error: --only "gate:no:gate": the config specs have nothing of that name
error: --only "layer:no": the config specs have nothing of that name
error: --only "store:no": the config specs have nothing of that name
`,
		Code: 1,
	}
	got := evaluate(t, otherUser, "--only", "gate:nobody,gate:no:gate,config:no,layer:no,store:no,gate:nobody")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("evaluate (-want +got):\n%s", diff)
	}
}

func TestRulesThatNestInACircleHaveTheReasonOfTheSDK(t *testing.T) {
	circle := evaltest.NewDocument(
		evaltest.NewGate("self").Rule(evaltest.NewRule("r").When(evaltest.PassGate("self"))),
		evaltest.NewDynamicConfig("of_self").Rule(evaltest.NewRule("r").When(evaltest.PassGate("self"))),
	)
	const reason = `"Statsig Evaluation Depth Exceeded"`
	want := outcome{Out: `{"u":0,"gates":{"self":{"id_type":null,"reason":` + reason + `,"rule_id":"","value":false,"version":null}},` +
		`"configs":{"of_self":{"group_name":null,"id_type":null,"is_experiment_active":null,"reason":` + reason +
		`,"rule_id":"","secondary_exposures":null,"value":null,"version":null}},"layers":{},"stores":{}}` + "\n"}
	got := execute(t, otherUser, "evaluate", "--specs", writeFile(t, "specs.json", string(circle.JSON(t))), "--users", "-")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("evaluate (-want +got):\n%s", diff)
	}
}
