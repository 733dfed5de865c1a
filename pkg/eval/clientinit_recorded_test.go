package eval_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// recordedOptions are the sets of options of the recorded responses.
var recordedOptions = map[string]eval.ClientInitializeOptions{
	"default":                {},
	"djb2":                   {Hash: eval.HashDJB2},
	"sha256":                 {Hash: eval.HashSHA256},
	"none":                   {Hash: eval.HashNone},
	"client_key":             {Hash: eval.HashNone, ClientKey: "client-key"},
	"format1_with_mapping":   {Hash: eval.HashNone, Format: eval.ResponseV2},
	"format2_init_v2":        {Hash: eval.HashNone, Format: eval.ResponseInitV2},
	"remove_defaults_idtype": {Hash: eval.HashNone, RemoveDefaultValueGates: true, RemoveIDType: true},
	"prevhash":               {Hash: eval.HashNone, PreviousResponseHash: "x"},
}

func TestWholeClientInitializeResponsesOfTheOfficialSDK(t *testing.T) {
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		t.Skip("CONFORMANCE_DIR is not set: the documents of real projects are not part of this repository")
	}
	files, err := filepath.Glob(filepath.Join(dir, "client-initialize", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded responses: %v", err)
	}
	var attributes map[string]any
	mustUnmarshal(t, []byte(`{"userID":"a-user","email":"daniel@statsig.com","customIDs":{"companyID":"c","stableID":"s"},`+
		`"custom":{"level":9},"privateAttributes":{"p":"x"}}`), &attributes)
	u, err := eval.UserOf(attributes)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		project, options, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), ".")
		t.Run(project+"."+options, func(t *testing.T) {
			o, ok := recordedOptions[options]
			if !ok {
				t.Fatalf("unknown options %q", options)
			}
			g := conformanceGroup{document: filepath.Join(dir, "..", "data", project+".json")}
			var got, want map[string]any
			mustUnmarshal(t, g.evaluator(t).AppendClientInitialize(nil, u, evaluatedAt, o), &got)
			mustUnmarshal(t, readFile(t, file), &want)
			if (got["full_checksum"] == nil) != (want["full_checksum"] == nil) {
				t.Errorf("full_checksum = %v, want one where the SDK has one (%v)", got["full_checksum"], want["full_checksum"])
			}
			for _, response := range []map[string]any{got, want} {
				// What is the maker's own.
				delete(response, "sdkInfo")
				delete(response, "full_checksum")
				spellOut(response)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
		})
	}
}

// spellOut puts what IDs stand for in their place: which IDs there are depends on the order of entries.
func spellOut(response map[string]any) {
	if response["response_format"] != "init-v2" {
		return
	}
	values, _ := response["values"].(map[string]any)
	exposures, _ := response["exposures"].(map[string]any)
	for _, section := range []string{"dynamic_configs", "layer_configs", "feature_gates"} {
		for _, x := range response[section].(map[string]any) {
			entry := x.(map[string]any)
			if id, ok := entry["v"].(string); ok {
				entry["v"] = values[id]
			}
			for _, name := range []string{"s", "us"} {
				list, _ := entry[name].([]any)
				for i, id := range list {
					list[i] = exposures[id.(string)]
				}
			}
		}
	}
	response["values"], response["exposures"] = len(values), len(exposures)
}
