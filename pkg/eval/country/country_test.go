package country_test

import (
	"sync"
	"testing"

	"github.com/statsig-operator/statsig-operator/internal/conformance"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/country"
)

var _ eval.CountryLookup = (*country.Lookup)(nil)

// TestCountriesOfTheOfficialSDK checks every address that Server Core was asked about.
func TestCountriesOfTheOfficialSDK(t *testing.T) {
	conformance.TestSuites(t, "../../..", conformance.SuiteCountries)
}

func TestCountryReadsAddressesLeniently(t *testing.T) {
	tests := map[string]struct {
		ip     string
		want   string
		reason string
	}{
		"a plain address":                        {ip: "8.8.8.8", want: "US"},
		"a plus sign":                            {ip: "+8.8.8.8", want: "US"},
		"a negative number":                      {ip: "8.8.8.-8", want: "US", reason: "it is 8.8.7.248"},
		"a number that carries":                  {ip: "8.8.2056.8", want: "US", reason: "it is 8.16.8.8"},
		"the whole address in the last number":   {ip: "0.0.0.134744072", want: "US", reason: "it is 8.8.8.8"},
		"an overflow back into the range":        {ip: "1099511627784.8.8.8", want: "US", reason: "2^40 is shifted out"},
		"a private address":                      {ip: "192.168.1.1"},
		"the highest address":                    {ip: "255.255.255.255"},
		"one past the highest address":           {ip: "255.255.255.256", reason: "it ends Server Core's process"},
		"a large octet":                          {ip: "999.1.1.1", reason: "it ends Server Core's process"},
		"a sum below zero":                       {ip: "-1.0.0.0"},
		"the largest number":                     {ip: "9223372036854775807.0.0.0"},
		"the smallest number":                    {ip: "-9223372036854775808.0.0.0"},
		"the largest sum":                        {ip: "0.0.0.9223372036854775807"},
		"a number that fits no 64 bits":          {ip: "9223372036854775808.0.0.0"},
		"nothing":                                {ip: ""},
		"three numbers":                          {ip: "8.8.8"},
		"five numbers":                           {ip: "8.8.8.8.8"},
		"a final dot":                            {ip: "8.8.8.8."},
		"an empty number":                        {ip: "8..8.8"},
		"a sign alone":                           {ip: "8.-.8.8"},
		"a blank":                                {ip: "8.8.8.8 "},
		"a port":                                 {ip: "8.8.8.8:80"},
		"hexadecimal digits":                     {ip: "0x8.8.8.8"},
		"an underscore between digits":           {ip: "8.8.8.0_8"},
		"digits that are not ASCII":              {ip: "８.8.8.8"},
		"an IPv6 address":                        {ip: "2001:4860:4860::8888"},
		"an IPv4 address written as an IPv6 one": {ip: "::ffff:8.8.8.8"},
	}
	lookup := country.New()
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := lookup.Country(tc.ip)
			if got != tc.want || ok != (tc.want != "") {
				t.Errorf("Country(%q) = %q, %v, want %q %s", tc.ip, got, ok, tc.want, tc.reason)
			}
		})
	}
}

func TestLookupsMayBeMadeAndUsedConcurrently(t *testing.T) {
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if got, ok := country.New().Country("8.8.8.8"); got != "US" || !ok {
				t.Errorf("Country = %q, %v, want US", got, ok)
			}
		})
	}
	group.Wait()
}

func TestCountryDoesNotAllocate(t *testing.T) {
	lookup := country.New()
	for _, ip := range []string{"24.18.183.148", "192.168.1.1", "2001:4860:4860::8888"} {
		if allocs := testing.AllocsPerRun(100, func() { lookup.Country(ip) }); allocs != 0 {
			t.Errorf("Country(%q) made %v allocations, want none", ip, allocs)
		}
	}
}

func FuzzCountry(f *testing.F) {
	for _, ip := range []string{"8.8.8.8", "+8.8.16.-2040", "256.0.0.0", "-9223372036854775808.0.0.0", "::1", "1..2.3"} {
		f.Add(ip)
	}
	lookup := country.New()
	f.Fuzz(func(t *testing.T, ip string) {
		code, ok := lookup.Country(ip)
		if ok != (len(code) == 2) {
			t.Errorf("Country(%q) = %q, %v", ip, code, ok)
		}
	})
}

func BenchmarkCountry(b *testing.B) {
	lookup := country.New()
	b.ReportAllocs()
	for b.Loop() {
		lookup.Country("115.240.90.163")
	}
}
