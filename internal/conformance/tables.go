package conformance

import (
	"path/filepath"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/country"
)

// userAgentFields are the columns of a table of user agents, behind the user agent.
var userAgentFields = [...]string{"os_name", "os_version", "browser_name", "browser_version"}

// tableCases lists the tables of a folder.
func tableCases(folder string) ([]Case, error) {
	var cases []Case
	for _, table := range []struct {
		suite, name string
		compare     func(file string, s *sheet) error
	}{
		{SuiteUserAgents, "ua.first_party.jsonl.gz", func(file string, s *sheet) error { return s.userAgents(file, false) }},
		{SuiteUserAgents, "ua.third_party.jsonl.gz", func(file string, s *sheet) error { return s.userAgents(file, true) }},
		{SuiteCountries, "ip_country.tsv.gz", func(file string, s *sheet) error { return s.countries(file) }},
	} {
		file := filepath.Join(folder, "tables", table.name)
		if exists(file) {
			cases = append(cases, Case{table.suite, table.name, func(s *sheet) error { return table.compare(file, s) }})
		}
	}
	return cases, nil
}

func (s *sheet) userAgents(file string, thirdParty bool) error {
	parser, err := userAgentParser(thirdParty)
	if err != nil {
		return err
	}
	return readObjects(file, func(i int, row *[5]string) error {
		if i%s.stride != 0 {
			return nil
		}
		got := parser.Parse(row[0])
		s.outcome.Cases++
		for j, value := range [...]string{got.OSName, got.OSVersion, got.BrowserName, got.BrowserVersion} {
			at := cell{kind: "user agent", entity: row[0], user: i, field: userAgentFields[j]}
			s.compare(at, value == row[j+1], value, row[j+1])
		}
		return nil
	})
}

func (s *sheet) countries(file string) error {
	var lookup eval.CountryLookup = country.New()
	return readObjects(file, func(i int, row *[2]*string) error {
		if i%s.stride != 0 || row[0] == nil {
			return nil
		}
		s.outcome.Cases++
		got, ok := lookup.Country(*row[0])
		want := row[1]
		equal := ok == (want != nil) && (!ok || got == *want)
		s.compare(cell{kind: "address", entity: *row[0], user: i, field: "country"}, equal, got, want)
		return nil
	})
}
