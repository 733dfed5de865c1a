package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
)

func newSetter(conditions *[]metav1.Condition, now time.Time) conditionSetter {
	return conditionSetter{conditions: conditions, generation: 3, now: now, scrub: scrubNothing}
}

func TestReadyCarriesWhatKstatusReads(t *testing.T) {
	for name, tc := range map[string]struct {
		ready verdict
		want  []string
	}{
		"A ready object is neither under way nor stuck":     {isTrue("Applied", "All is well."), []string{"Ready=True"}},
		"An object that carries on is reconciling":          {isFalse("WriteFailed", "It is retried."), []string{"Ready=False", "Reconciling=True"}},
		"An object that waits is reconciling":               {isUnknown("Pending", "Not yet."), []string{"Ready=Unknown", "Reconciling=True"}},
		"An object that only a person can help is stalled":  {isStalled("Invalid", "Mend it."), []string{"Ready=False", "Stalled=True"}},
		"A suspended object is neither under way nor stuck": {isFalse("Suspended", "On request."), []string{"Ready=False"}},
	} {
		t.Run(name, func(t *testing.T) {
			// Whatever the object was before must leave no trace.
			for _, before := range []verdict{isTrue("A", "Before."), isFalse("A", "Before."), isStalled("A", "Before."), {}} {
				var conditions []metav1.Condition
				if before.status != "" {
					newSetter(&conditions, noon.Add(-time.Hour)).setReady(before)
				}
				newSetter(&conditions, noon).setReady(tc.ready)
				checkKstatus(t, conditions, 3)
				var got []string
				for _, c := range conditions {
					got = append(got, c.Type+"="+string(c.Status))
					if c.Reason != tc.ready.reason || c.Message != tc.ready.message {
						t.Errorf("%s: want reason and message of Ready, got %s: %s", c.Type, c.Reason, c.Message)
					}
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("conditions after %v (-want +got):\n%s", before, diff)
				}
			}
		})
	}
}

func TestTransitionTimeIsThatOfTheLastStatus(t *testing.T) {
	var conditions []metav1.Condition
	transition := func(v verdict, now time.Time) time.Time {
		newSetter(&conditions, now).set(v1alpha1.ConditionEvaluated, v)
		return meta.FindStatusCondition(conditions, v1alpha1.ConditionEvaluated).LastTransitionTime.UTC()
	}
	first := noon.Add(700 * time.Millisecond)
	if got := transition(isTrue("Evaluated", "Done."), first); !got.Equal(noon) {
		t.Errorf("the first verdict: want whole seconds of the time given, %s, got %s", noon, got)
	}
	if got := transition(isTrue("NoUnits", "Nothing to do."), noon.Add(time.Minute)); !got.Equal(noon) {
		t.Errorf("another reason for the same status: want %s kept, got %s", noon, got)
	}
	if got := transition(isFalse("EntityNotFound", "Missing."), noon.Add(time.Hour)); !got.Equal(noon.Add(time.Hour)) {
		t.Errorf("another status: want %s, got %s", noon.Add(time.Hour), got)
	}
}

func TestMessagesHaveNoKeyAndABound(t *testing.T) {
	const key = "secret-0123456789abcdefghijklmn"
	var conditions []metav1.Condition
	newSetter(&conditions, noon).setReady(isFalse("FetchFailed", "Asking with "+key+" failed. "+strings.Repeat("é", 2000)))
	for _, c := range conditions {
		if strings.Contains(c.Message, key) {
			t.Errorf("%s: the message has the key: %s", c.Type, c.Message)
		}
		if len(c.Message) > maxConditionMessage {
			t.Errorf("%s: the message has %d bytes", c.Type, len(c.Message))
		}
	}
	checkKstatus(t, conditions, 3)
}

func TestTextIsCutAtACharacter(t *testing.T) {
	for name, tc := range map[string]struct {
		text  string
		limit int
		want  string
	}{
		"A text that fits is left alone":          {"abcdefgh", 8, "abcdefgh"},
		"An empty text is left alone":             {"", 8, ""},
		"A long text ends in a mark":              {"abcdefghi", 8, "abcde…"},
		"A character is not cut in two":           {"abcdéfghi", 8, "abcd…"},
		"A character of four bytes is not either": {"ab😀cdefgh", 8, "ab…"},
		"A text of marks only":                    {"………", 8, "……"},
	} {
		t.Run(name, func(t *testing.T) {
			got := truncate(tc.text, tc.limit)
			if got != tc.want {
				t.Errorf("truncate(%q, %d): want %q, got %q", tc.text, tc.limit, tc.want, got)
			}
			if len(got) > tc.limit || !utf8.ValidString(got) {
				t.Errorf("truncate(%q, %d) = %q, which is too long or no text", tc.text, tc.limit, got)
			}
		})
	}
}

// failures is a test that notes failures instead of failing.
type failures struct {
	testing.TB
	texts []string
}

func (f *failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) {
	f.texts = append(f.texts, fmt.Sprintf(format, args...))
}

// What checkKstatus does not catch, no story catches.
func TestKstatusViolationsAreFound(t *testing.T) {
	condition := func(conditionType string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{
			Type: conditionType, Status: status, Reason: reason, Message: "It is so.", ObservedGeneration: 3,
			LastTransitionTime: metav1.NewTime(noon),
		}
	}
	ready := condition("Ready", metav1.ConditionTrue, "Applied")
	unready := condition("Ready", metav1.ConditionFalse, "Invalid")
	reconciling := condition("Reconciling", metav1.ConditionTrue, "Invalid")
	stalled := condition("Stalled", metav1.ConditionTrue, "Invalid")
	with := func(change func(*metav1.Condition)) []metav1.Condition {
		changed := ready
		change(&changed)
		return []metav1.Condition{changed}
	}
	for name, tc := range map[string]struct {
		conditions []metav1.Condition
		want       string
	}{
		"Good conditions are not complained of":       {[]metav1.Condition{unready, stalled}, ""},
		"Ready alone and true is good":                {[]metav1.Condition{ready}, ""},
		"Ready is missing":                            {[]metav1.Condition{condition("Accepted", metav1.ConditionTrue, "Accepted")}, "there is none"},
		"Reconciling and Stalled are both there":      {[]metav1.Condition{unready, reconciling, stalled}, "beside each other"},
		"Reconciling stands beside Ready=True":        {[]metav1.Condition{ready, condition("Reconciling", metav1.ConditionTrue, "Applied")}, "beside Reconciling"},
		"Neither is there although it is not ready":   {[]metav1.Condition{unready}, "without Reconciling"},
		"Stalled is there though it is false":         {[]metav1.Condition{unready, condition("Stalled", metav1.ConditionFalse, "Invalid")}, "it is False"},
		"Reconciling has a reason of its own":         {[]metav1.Condition{unready, condition("Reconciling", metav1.ConditionTrue, "Busy")}, "for Busy"},
		"A type is there twice":                       {[]metav1.Condition{ready, ready}, "there are two"},
		"A condition speaks of another generation":    {with(func(c *metav1.Condition) { c.ObservedGeneration = 2 }), "generation 2, not 3"},
		"A reason is not in camel case":               {with(func(c *metav1.Condition) { c.Reason = "not_found" }), "upper camel case"},
		"A reason is not one of the type's":           {[]metav1.Condition{ready, condition("Evaluated", metav1.ConditionTrue, "Applied")}, "must not be True for Applied"},
		"A message is not a sentence":                 {with(func(c *metav1.Condition) { c.Message = "oops" }), "not a sentence"},
		"A message has a line break":                  {with(func(c *metav1.Condition) { c.Message = "a\nb." }), "line breaks"},
		"A message is too long":                       {with(func(c *metav1.Condition) { c.Message = strings.Repeat("a", 2000) + "." }), "too long"},
		"A message has a key":                         {with(func(c *metav1.Condition) { c.Message = "Key secret-0123456789abcdefghijklmn." }), "a key"},
		"The time of the last transition is not set":  {with(func(c *metav1.Condition) { c.LastTransitionTime = metav1.Time{} }), "lastTransitionTime"},
		"The time of the last transition is too fine": {with(func(c *metav1.Condition) { c.LastTransitionTime.Time = noon.Add(1) }), "lastTransitionTime"},
	} {
		t.Run(name, func(t *testing.T) {
			found := &failures{TB: t}
			checkKstatus(found, tc.conditions, 3)
			got := strings.Join(found.texts, "\n")
			if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
				t.Errorf("failures: want %q, got %q", tc.want, got)
			}
		})
	}
}
