package gate

import (
	"errors"

	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"

	"github.com/statsig-operator/statsig-operator/pkg/subject"
)

// MaxCost bounds the evaluation of one expression, in CEL's cost units.
const MaxCost = subject.CostLimit

// bytesPerCost is how much text counts as one unit of cost, as in CEL's own string functions.
const bytesPerCost = 10

// costs charges for comparing lists and objects by all that they hold. CEL counts their members, however much there is
// in each.
type costs struct{}

// CallCost implements [interpreter.ActualCostEstimator].
func (costs) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	if len(args) != 2 {
		return nil
	}
	var cost uint64
	switch function {
	case operators.Equals, operators.NotEquals:
		if !isContainer(args[0]) || !isContainer(args[1]) {
			return nil
		}
		cost = min(weight(args[0]), weight(args[1]))
	case operators.In:
		if !isContainer(args[0]) || args[1].Type() != types.ListType {
			return nil
		}
		cost = weight(args[1])
	default:
		return nil
	}
	return &cost
}

func isContainer(value ref.Val) bool {
	return value.Type() == types.ListType || value.Type() == types.MapType
}

// weight is what it costs to look at all of a value.
func weight(value ref.Val) uint64 {
	switch v := value.(type) {
	case *object:
		return 1 + uint64(len(v.json.Raw)/bytesPerCost)
	case types.String:
		return 1 + uint64(len(v)/bytesPerCost)
	case traits.Lister:
		sum := uint64(1)
		for it := v.Iterator(); it.HasNext() == types.True; {
			sum += weight(it.Next())
		}
		return sum
	case traits.Mapper:
		sum := uint64(1)
		for it := v.Iterator(); it.HasNext() == types.True; {
			sum += 1 + weight(v.Get(it.Next()))
		}
		return sum
	default:
		return 1
	}
}

// isTooCostly reports whether an evaluation was ended by the limit on its cost.
func isTooCostly(err error) bool {
	cancelled, ok := errors.AsType[interpreter.EvalCancelledError](err)
	return ok && cancelled.Cause == interpreter.CostLimitExceeded
}
