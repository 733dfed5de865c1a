package subject

import "testing"

func TestAliased(t *testing.T) {
	cases := map[string]string{
		`namespace.name`:                            `namespac_.name`,
		`workload.namespace + namespace.name`:       `workload.namespace + namespac_.name`,
		`workload . ? namespace`:                    `workload . ? namespace`,
		`true ? namespace.name : namespace.kind`:    `true ? namespac_.name : namespac_.kind`,
		`'namespace' + "namespace" + namespace.x`:   `'namespace' + "namespace" + namespac_.x`,
		`'it\'s namespace' + namespace.x`:           `'it\'s namespace' + namespac_.x`,
		`r'\' + namespace.x + r"\"`:                 `r'\' + namespac_.x + r"\"`,
		`"""a " namespace""" + '''b ' namespace'''`: `"""a " namespace""" + '''b ' namespace'''`,
		"namespace // namespace's\n.name":           "namespac_ // namespace's\n.name",
		`namespaces.x + my_namespace + namespace_`:  `namespaces.x + my_namespace + namespace_`,
	}
	for source, want := range cases {
		if got := aliased(source); got != want {
			t.Errorf("aliased(%q) = %q, want %q", source, got, want)
		}
	}
}
