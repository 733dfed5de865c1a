package render

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestHash(t *testing.T) {
	type contents = []map[string]string
	cases := map[string]struct {
		a, b  contents
		equal bool
	}{
		"equal data":                           {contents{{"a": "1", "b": "2"}}, contents{{"b": "2", "a": "1"}}, true},
		"nil and empty data":                   {contents{nil}, contents{{}}, true},
		"another value":                        {contents{{"a": "1"}}, contents{{"a": "2"}}, false},
		"another key":                          {contents{{"a": "1"}}, contents{{"b": "1"}}, false},
		"key and value divided otherwise":      {contents{{"ab": "c"}}, contents{{"a": "bc"}}, false},
		"two keys that look like one":          {contents{{"a": "1", "b": "2"}}, contents{{"a": "1b2"}}, false},
		"an empty value and none":              {contents{{"a": ""}}, contents{{}}, false},
		"none and an empty one":                {contents{}, contents{{}}, false},
		"the same data divided among two":      {contents{{"a": "1"}, {"b": "2"}}, contents{{"a": "1", "b": "2"}}, false},
		"a key that moved from one to another": {contents{{"a": "1"}, {}}, contents{{}, {"a": "1"}}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if a, b := Hash(tc.a...), Hash(tc.b...); (a == b) != tc.equal {
				t.Errorf("hashes are %s and %s, want them equal: %v", a, b, tc.equal)
			}
		})
	}
}

func TestHashIsStable(t *testing.T) {
	// printf '\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1a\0\0\0\0\0\0\0\2xy' | sha256sum
	const want = "ed1d3d854e2aa55425fd5102c3f301501ab4c43d0820027e78f33342cc64ce37"
	got := Hash(map[string]string{"a": "xy"})
	if got != want {
		t.Errorf("hash is %s, want %s", got, want)
	}
	if short := ShortHash(got); short != want[:8] {
		t.Errorf("short hash is %s, want %s", short, want[:8])
	}
	if short := ShortHash("abc"); short != "abc" {
		t.Errorf("short hash of abc is %s", short)
	}
}

func TestHashIsIndependentOfTheMapsOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	keys := make([]string, 50)
	for i := range keys {
		keys[i] = fmt.Sprintf("key%d", i)
	}
	var want string
	for i := range 20 {
		random.Shuffle(len(keys), func(a, b int) { keys[a], keys[b] = keys[b], keys[a] })
		data := map[string]string{}
		for _, key := range keys {
			data[key] = "value of " + key
		}
		if got := Hash(data); i == 0 {
			want = got
		} else if got != want {
			t.Fatalf("hash is %s, then %s", want, got)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	data := map[string]string{}
	for i := range 20 {
		data[fmt.Sprintf("key%d", i)] = "some value"
	}
	b.ReportAllocs()
	for b.Loop() {
		Hash(data)
	}
}
