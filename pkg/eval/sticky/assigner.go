package sticky

import (
	"context"
	"fmt"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// Storage keeps sticky values, by the key of a unit and the name of an experiment or layer. Implementations are safe for
// concurrent use.
type Storage interface {
	// Load returns all values under a key; none, or nil, for a key that has none.
	Load(ctx context.Context, key string) (map[string]eval.StickyValue, error)
	// Save keeps a value, in place of one with the same key and name.
	Save(ctx context.Context, key, name string, value eval.StickyValue) error
	// Delete forgets a value. It is no error if there is none.
	Delete(ctx context.Context, key, name string) error
}

// Options say how binding sticky values are. The zero value is usable: nothing but the end of an experiment sets a user
// free.
type Options struct {
	// EnforceOverrides lets override rules of an experiment win over sticky values.
	EnforceOverrides bool
	// EnforceTargeting lets the evaluation win where the user no longer passes an experiment's targeting.
	EnforceTargeting bool
}

// Assigner answers with sticky values.
type Assigner struct {
	storage Storage
	options Options
}

// NewAssigner keeps values in a storage.
func NewAssigner(storage Storage, o Options) *Assigner {
	return &Assigner{storage: storage, options: o}
}

// Assign returns the answer that counts for a user, given the one that e just gave, and keeps storage up to date. live
// should come from a call with a Recorder, since a value is kept with its exposures. Where the storage fails, the answer
// is still the right one as far as is known: that of the sticky value if it could be read, otherwise live.
func (a *Assigner) Assign(
	ctx context.Context, e *eval.Evaluator, live eval.Result, u *eval.User, now time.Time,
) (eval.Result, error) {
	key, sticks := u.StickyKey(&live)
	if !sticks {
		return live, nil
	}
	values, err := a.storage.Load(ctx, key)
	if err != nil {
		return live, fmt.Errorf("loading sticky values: %w", err)
	}
	if values == nil {
		values = map[string]eval.StickyValue{}
	}
	result, change := e.Stick(live, u, now, eval.Sticky{
		Values: values, EnforceOverrides: a.options.EnforceOverrides, EnforceTargeting: a.options.EnforceTargeting,
	})
	switch {
	case change == nil:
	case change.Save == nil:
		if err := a.storage.Delete(ctx, change.Key, change.Name); err != nil {
			return result, fmt.Errorf("deleting sticky value of %s: %w", change.Name, err)
		}
	default:
		if err := a.storage.Save(ctx, change.Key, change.Name, *change.Save); err != nil {
			return result, fmt.Errorf("saving sticky value of %s: %w", change.Name, err)
		}
	}
	return result, nil
}
