package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// run runs a script as Argo CD runs those of argocd-cm: with the base, table and package libraries only, and the object as a global.
// Parameters are nil where Argo CD is too old to have any.
func run(ctx context.Context, script string, object map[string]any, parameters map[string]string) (any, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	state.SetContext(ctx)
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		state.Push(state.NewFunction(library.open))
		state.Push(lua.LString(library.name))
		state.Call(1, 0)
	}
	state.SetGlobal("obj", toLua(state, object))
	if parameters != nil {
		table := state.NewTable()
		for name, value := range parameters {
			table.RawSetString(name, lua.LString(value))
		}
		state.SetGlobal("actionParams", table)
	}
	if err := state.DoString(script); err != nil {
		var raised *lua.ApiError
		if errors.As(err, &raised) && raised.Type == lua.ApiErrorRun {
			return nil, errors.New(raised.Object.String())
		}
		return nil, err
	}
	return fromLua(state.Get(-1))
}

// toLua makes a Lua value of a JSON value.
func toLua(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		table := state.NewTable()
		for _, item := range v {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range v {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}

// fromLua makes a JSON value of a Lua value. Lua has one empty table, which comes out as a list.
func fromLua(value lua.LValue) (any, error) {
	switch v := value.(type) {
	case lua.LBool:
		return bool(v), nil
	case lua.LNumber:
		return float64(v), nil
	case lua.LString:
		return string(v), nil
	case *lua.LTable:
		return fromTable(v)
	default:
		return nil, fmt.Errorf("a value of type %s", value.Type())
	}
}

func fromTable(table *lua.LTable) (any, error) {
	list, object := []any{}, map[string]any{}
	var errs []error
	table.ForEach(func(key, item lua.LValue) {
		value, err := fromLua(item)
		switch k := key.(type) {
		case lua.LNumber:
			list = append(list, value)
		case lua.LString:
			object[string(k)] = value
		default:
			err = fmt.Errorf("a key of type %s", key.Type())
		}
		errs = append(errs, err)
	})
	if len(list) > 0 && len(object) > 0 {
		errs = append(errs, errors.New("a table that is list and object at once"))
	}
	if len(object) > 0 {
		return object, errors.Join(errs...)
	}
	return list, errors.Join(errs...)
}

// restoreEmpty turns empty lists into the empty objects that they were before Lua had them, as Argo CD does with what actions return.
func restoreEmpty(is, was any) any {
	switch w := was.(type) {
	case map[string]any:
		if list, ok := is.([]any); ok && len(list) == 0 {
			return map[string]any{}
		}
		if object, ok := is.(map[string]any); ok {
			for key := range object {
				object[key] = restoreEmpty(object[key], w[key])
			}
		}
	case []any:
		if list, ok := is.([]any); ok {
			for i := range min(len(list), len(w)) {
				list[i] = restoreEmpty(list[i], w[i])
			}
		}
	}
	return is
}

// into decodes what a script returned.
func into[T any](t *testing.T, value any) T {
	t.Helper()
	var decoded T
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, &decoded)
	}
	if err != nil {
		t.Fatalf("decoding %v: %v", value, err)
	}
	return decoded
}
