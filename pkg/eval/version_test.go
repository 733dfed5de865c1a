package eval

import "testing"

func TestCompareVersion(t *testing.T) {
	tests := map[string]struct {
		user, target string
		want         int
		incomparable bool
	}{
		"equal versions are equal":                              {user: "1.2.3", target: "1.2.3"},
		"parts compare as numbers":                              {user: "1.10", target: "1.9", want: 1},
		"a missing part is zero":                                {user: "1.2", target: "1.2.0"},
		"a missing part of the target is zero":                  {user: "1.2.1", target: "1.2", want: 1},
		"text behind a hyphen doesn't count":                    {user: "1.2-beta", target: "1.2-rc1"},
		"blanks around a part don't count":                      {user: "1 .2.3\n", target: "1.2.3"},
		"a plus sign doesn't count":                             {user: "+1.2", target: "1.2"},
		"leading zeros don't count":                             {user: "01.02", target: "1.2"},
		"parts beyond 64 bits compare":                          {user: "18446744073709551616", target: "18446744073709551615", want: 1},
		"the largest part of 127 bits is read":                  {user: "170141183460469231731687303715884105727", target: "1", want: 1},
		"a part of 128 bits is no number":                       {user: "170141183460469231731687303715884105728", target: "1", incomparable: true},
		"a part of many digits is no number":                    {user: "9999999999999999999999999999999999999999999", target: "1", incomparable: true},
		"a word is no number":                                   {user: "1.x", target: "1.2", incomparable: true},
		"a word behind the first difference is never looked at": {user: "2.x", target: "1.2", want: 1},
		"an empty part is no number":                            {user: "1..2", target: "1.0.2", incomparable: true},
		"the empty text is no version":                          {user: "", target: "0", incomparable: true},
		"a hyphen first leaves nothing":                         {user: "-1", target: "0", incomparable: true},
		"a minus sign inside a part ends the version":           {user: "1.-2", target: "1", incomparable: true},
		"a word in the target is no number":                     {user: "1.2", target: "1.b", incomparable: true},
		"two signs are no number":                               {user: "++1", target: "1", incomparable: true},
		"a blank inside a part is no number":                    {user: "1 1", target: "11", incomparable: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := compareVersion(tc.user, parseVersion(tc.target))
			if ok == tc.incomparable || got != tc.want {
				t.Errorf("%q against %q = %d, %t; want %d, %t", tc.user, tc.target, got, ok, tc.want, !tc.incomparable)
			}
		})
	}
}
