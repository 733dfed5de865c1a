package eval_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

// benchDocument holds the gates of the comparison between evaluators: constant, email suffix and country, rollout by
// user ID, country and rollout, ten rules of which the last matches, nested gates, a list of 1,000 and a version.
func benchDocument() *evaltest.Document {
	country := evaltest.UserField("country", "any", "US", "CA", "GB", "DE", "FR")
	email := evaltest.UserField("email", "str_ends_with_any", "@example.com", "@statsig.com")
	gate := func(name string, percent float64, conditions ...evaltest.Condition) *evaltest.SpecBuilder {
		return evaltest.NewGate(name).Salt(uuid).Rule(benchRule("r").Percent(percent).When(conditions...))
	}
	ten := evaltest.NewGate("g_10rules")
	for i := range 9 {
		ten.Rule(benchRule(fmt.Sprint("r", i)).When(evaltest.UserField("level", "any", fmt.Sprint("none", i)), country))
	}
	list := make([]any, 1000)
	for i := range list {
		list[i] = fmt.Sprintf("user%d@statsig.com", i)
	}
	config := map[string]any{"a": 1, "b": "text"}
	return evaltest.NewDocument(
		gate("g_static", 100, evaltest.Public()),
		gate("g_match", 100, email, country),
		gate("g_rollout", 50, evaltest.Public()),
		gate("g_match_rollout", 50, country),
		ten.Rule(benchRule("r9").When(country)),
		gate("g_dep1", 100, country), gate("g_dep2", 100, email),
		gate("g_nested", 100, evaltest.PassGate("g_dep1"), evaltest.PassGate("g_dep2")),
		gate("g_list1000", 100, evaltest.UserField("email", "any", list...)),
		gate("g_version", 100, evaltest.UserFieldValue("appVersion", "version_gte", "1.2.3")),
		gate("g_time", 100, evaltest.CurrentTime("after", 1_700_000_000_000)),
		gate("g_number", 100, evaltest.UserFieldValue("age", "gte", 18)),
		gate("g_bucket", 100, evaltest.UserBucket(uuid, "lt", 500)),
		gate("g_agent", 100, evaltest.UserAgentBased("os_name", "any", "iOS")),
		gate("g_ip", 100, evaltest.IPBased("country", "any", "US")),
		gate("g_id_list", 100, evaltest.InSegmentList("l")),
		gate("g_environment", 100, evaltest.Environment("tier", "any", "production")),
		evaltest.NewDynamicConfig("c_static").Rule(benchRule("r").Return(config)),
		evaltest.NewDynamicConfig("c_match").Rule(benchRule("r").Return(config).When(email, country)),
		evaltest.NewExperiment("e_exp").Rule(benchRule("r").Return(config).Percent(50).Group("Test").When(country)),
		evaltest.NewLayer("l_layer").Rule(benchRule("r").Delegate("e_exp")),
	)
}

// uuid is as long as the service's salts.
const uuid = "3d0f5df9-18c7-46fe-8b31-268d756c3459"

func benchRule(id string) *evaltest.RuleBuilder { return evaltest.NewRule(id).With("salt", uuid) }

var benchEntities = []eval.Ref{
	{Kind: eval.KindGate, Name: "g_static"}, {Kind: eval.KindGate, Name: "g_match"},
	{Kind: eval.KindGate, Name: "g_rollout"}, {Kind: eval.KindGate, Name: "g_match_rollout"},
	{Kind: eval.KindGate, Name: "g_10rules"}, {Kind: eval.KindGate, Name: "g_nested"},
	{Kind: eval.KindGate, Name: "g_list1000"}, {Kind: eval.KindGate, Name: "g_version"},
	{Kind: eval.KindGate, Name: "g_time"}, {Kind: eval.KindGate, Name: "g_number"},
	{Kind: eval.KindGate, Name: "g_bucket"}, {Kind: eval.KindGate, Name: "g_agent"},
	{Kind: eval.KindGate, Name: "g_ip"}, {Kind: eval.KindGate, Name: "g_id_list"},
	{Kind: eval.KindGate, Name: "g_environment"},
	{Kind: eval.KindGate, Name: "missing"}, {Kind: eval.KindDynamicConfig, Name: "c_static"},
	{Kind: eval.KindDynamicConfig, Name: "c_match"}, {Kind: eval.KindExperiment, Name: "e_exp"},
	{Kind: eval.KindLayer, Name: "l_layer"},
}

func benchUser(i int) eval.UserAttributes {
	countries := []string{"US", "CA", "GB", "DE", "FR"}
	return eval.UserAttributes{
		UserID: fmt.Sprint("user-", i), Email: fmt.Sprintf("user%d@statsig.com", i), Country: countries[i%5],
		AppVersion: fmt.Sprintf("1.%d.0", i%10), IP: "8.8.8.8", UserAgent: "agent",
		Custom: map[string]any{"age": i % 80, "level": "gold"},
	}
}

type fixedAgent struct{}

func (fixedAgent) Parse(string) eval.UserAgent { return eval.UserAgent{OSName: "iOS"} }

type fixedCountry struct{}

func (fixedCountry) Country(string) (string, bool) { return "US", true }

func benchEvaluator(t testing.TB) *eval.Evaluator {
	t.Helper()
	lists := idLists{}
	lists.add("l", "+abcdefgh\n")
	return eval.NewEvaluator(evaltest.Compile(t, benchDocument()), eval.Options{
		UserAgent: fixedAgent{}, Country: fixedCountry{}, IDLists: lists, Environment: "production",
	})
}

func BenchmarkEvaluate(b *testing.B) {
	e := benchEvaluator(b)
	users := make([]*eval.User, 20_000)
	for i := range users {
		users[i] = eval.NewUser(benchUser(i))
	}
	for _, ref := range benchEntities {
		b.Run(ref.Name+"/rotation", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e.Evaluate(ref, users[i%len(users)], evaluatedAt, nil)
			}
		})
		b.Run(ref.Name+"/one", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Evaluate(ref, users[0], evaluatedAt, nil)
			}
		})
	}
	b.Run("g_match/parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for i := 0; p.Next(); i++ {
				e.Evaluate(benchEntities[1], users[i%len(users)], evaluatedAt, nil)
			}
		})
	})
}

func BenchmarkNewUser(b *testing.B) {
	a := benchUser(1)
	b.ReportAllocs()
	for b.Loop() {
		eval.NewUser(a)
	}
}

// bigDocument has the size of a large project: 5,000 gates, 500 configs and 50 layers in some 10 MB.
func bigDocument(tb testing.TB, scale int) []byte {
	tb.Helper()
	d := evaltest.NewDocument()
	emails := make([]any, 12)
	for i := range 5000 * scale {
		for j := range emails {
			emails[j] = fmt.Sprintf("someone%d.of.many%d@example.com", j, i)
		}
		g := evaltest.NewGate(fmt.Sprintf("gate_number_%d", i)).Salt(uuid)
		for j := range 3 {
			c := evaltest.UserField("custom_field", "any", fmt.Sprint("value", i%97), fmt.Sprint("value", j))
			if j == 2 {
				c = evaltest.UserField("email", "any", emails...)
			}
			g.Rule(benchRule(fmt.Sprintf("rule%d:%d", i, j)).When(c).Percent(float64(10 * j)))
		}
		d.Add(g)
	}
	for i := range 500 * scale {
		value := map[string]any{"a": i, "text": "some longer text of a parameter", "list": []int{1, 2, 3}}
		d.Add(evaltest.NewExperiment(fmt.Sprintf("experiment_%d", i)).Rule(
			benchRule(fmt.Sprint("c", i)).Return(value).Group("Control").Percent(50),
			benchRule(fmt.Sprint("t", i)).Return(value).Group("Test")))
	}
	for i := range 50 * scale {
		d.Add(evaltest.NewLayer(fmt.Sprintf("layer_%d", i)).Rule(benchRule("l").Delegate(fmt.Sprintf("experiment_%d", i))))
	}
	return d.JSON(tb)
}

func BenchmarkDecodeAndCompile(b *testing.B) {
	for _, scale := range []int{1, 5} {
		text := bigDocument(b, scale)
		b.Run(fmt.Sprintf("%dMB", len(text)>>20), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				compile(b, text)
			}
			b.ReportMetric(float64(liveHeap(b, text))/(1<<20), "live-MB")
		})
	}
}

// liveHeap measures what a snapshot holds, its copy of the text included.
func liveHeap(b *testing.B, text []byte) uint64 {
	b.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := compile(b, text)
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(s)
	return after.HeapAlloc - before.HeapAlloc
}

func BenchmarkDiff(b *testing.B) {
	text := bigDocument(b, 1)
	old, next := compile(b, text), compile(b, bytes.Replace(text, []byte(`"id":"rule7:0"`), []byte(`"id":"changed"`), 1))
	b.ReportAllocs()
	for b.Loop() {
		eval.Diff(old, next)
	}
}

func BenchmarkLoggableUser(b *testing.B) {
	e := benchEvaluator(b)
	u := eval.NewUser(benchUser(1))
	buffer := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		e.LoggableUser(buffer, u)
	}
}
