package statsigpb_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/sync/statsigpb"
)

// bigDocument has as many gates as asked for, of some 2 KB each.
func bigDocument(gates int) []byte {
	var b strings.Builder
	b.WriteString(`{"has_updates":true,"time":1000,"checksum":"c","experiment_to_layer":{},"dynamic_configs":{},"layer_configs":{},`)
	b.WriteString(`"condition_map":{`)
	for i := range gates {
		fmt.Fprintf(&b, `%s"%d":{"type":"user_field","field":"email","operator":"any","idType":"userID","additionalValues":{},`+
			`"targetValue":["%s"]}`, comma(i), i, strings.Repeat(fmt.Sprintf(`user%d@example.com","`, i), 30))
	}
	b.WriteString(`},"feature_gates":{`)
	for i := range gates {
		fmt.Fprintf(&b, `%s"gate_%d":{"type":"feature_gate","entity":"feature_gate","salt":"salt-%d","enabled":true,`+
			`"idType":"userID","version":%d,"defaultValue":false,"rules":[`, comma(i), i, i, i)
		for r := range 5 {
			fmt.Fprintf(&b, `%s{"name":"rule %d of gate %d","id":"rule-%d-%d","salt":"rule-salt-%d-%d","passPercentage":50,`+
				`"conditions":["%d"],"idType":"userID","returnValue":true,"groupName":"Group %d"}`, comma(r), r, i, r, i, r, i, i, r)
		}
		b.WriteString(`]}`)
	}
	b.WriteString(`}}`)
	return []byte(b.String())
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func BenchmarkDocument(b *testing.B) {
	for _, gates := range []int{500, 5000} {
		document := bigDocument(gates)
		changed := bytes.Replace(document, []byte(`"salt-7"`), []byte(`"salt-seven"`), 1)
		body, err := statsigpb.Encode(document)
		if err != nil {
			b.Fatal(err)
		}
		delta, err := statsigpb.EncodeDelta(document, changed)
		if err != nil {
			b.Fatal(err)
		}
		held, err := statsigpb.Decode(bytes.NewReader(body), nil, limit)
		if err != nil {
			b.Fatal(err)
		}
		size := fmt.Sprintf("%dKB", len(document)>>10)
		for name, run := range map[string]func() error{
			"whole": func() error {
				_, err := statsigpb.Decode(bytes.NewReader(body), nil, limit)
				return err
			},
			"delta of one gate": func() error {
				_, err := statsigpb.Decode(bytes.NewReader(delta), held.JSON, limit)
				return err
			},
			"eval.Decode of the JSON": func() error {
				_, err := eval.Decode(held.JSON)
				return err
			},
		} {
			b.Run(name+"/"+size, func(b *testing.B) {
				b.SetBytes(int64(len(document)))
				b.ReportAllocs()
				for b.Loop() {
					if err := run(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
