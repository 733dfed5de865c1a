package eval_test

import (
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval/evaltest"
)

func TestSDKConfigsAreHandedOnAsTheyStand(t *testing.T) {
	for name, tc := range map[string]struct {
		document *evaltest.Document
		want     string
	}{
		"a document without any has none":       {document: evaltest.NewDocument()},
		"null is none":                          {document: evaltest.NewDocument().With("sdk_configs", nil)},
		"values may be of any kind, even lists": {document: evaltest.NewDocument().With("sdk_configs", values{"a": []any{1.0, "x"}}), want: `{"a":[1,"x"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := evaltest.Compile(t, tc.document).SDKConfigs(); got != tc.want {
				t.Errorf("SDKConfigs = %q, want %q", got, tc.want)
			}
		})
	}
}
