package subject

import (
	"errors"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// Object is what expressions may read of one Kubernetes object. Whoever evaluates with it must not change its maps
// meanwhile.
type Object struct {
	APIVersion, Kind, Name, Namespace, UID string
	CreationTimestamp                      time.Time
	Labels, Annotations                    map[string]string
}

// Input holds the objects behind one user. An object that the template's expressions do not use, see [Program.Uses],
// may be nil.
type Input struct {
	Workload, Pod, Namespace *Object
	// Cluster is the name that the cluster goes by; it may be empty.
	Cluster string
}

// The names of the variables, as expressions write them.
const (
	workloadVariable  = "workload"
	podVariable       = "pod"
	namespaceVariable = "namespace"
	clusterVariable   = "cluster"
)

// The names of the variables' types. They show in CEL's error messages only.
const (
	workloadType  = "Workload"
	podType       = "Pod"
	namespaceType = "Namespace"
	metadataType  = "Metadata"
	clusterType   = "Cluster"
)

// schema lists the fields of each type. A typed schema, rather than plain maps, lets the compiler refuse a misspelt
// field before any object is seen, and lets evaluation read the structs in place.
var schema = map[string]map[string]*types.FieldType{
	workloadType: {
		"apiVersion": textField(func(o *Object) string { return o.APIVersion }),
		"kind":       textField(func(o *Object) string { return o.Kind }),
		"name":       textField(func(o *Object) string { return o.Name }),
		"namespace":  textField(func(o *Object) string { return o.Namespace }),
		"metadata":   metadataField,
	},
	podType: {
		"apiVersion": textField(func(o *Object) string { return o.APIVersion }),
		"kind":       textField(func(o *Object) string { return o.Kind }),
		"name":       textField(func(o *Object) string { return o.Name }),
		"namespace":  textField(func(o *Object) string { return o.Namespace }),
		"metadata":   metadataField,
	},
	namespaceType: {
		"apiVersion": textField(func(o *Object) string { return o.APIVersion }),
		"kind":       textField(func(o *Object) string { return o.Kind }),
		"name":       textField(func(o *Object) string { return o.Name }),
		"metadata":   metadataField,
	},
	metadataType: {
		"name":              textField(func(o *Object) string { return o.Name }),
		"namespace":         textField(func(o *Object) string { return o.Namespace }),
		"uid":               textField(func(o *Object) string { return o.UID }),
		"labels":            mapField(func(o *Object) map[string]string { return o.Labels }),
		"annotations":       mapField(func(o *Object) map[string]string { return o.Annotations }),
		"creationTimestamp": creationTimestampField,
	},
	clusterType: {
		"name": {
			Type:    cel.StringType,
			IsSet:   func(target any) bool { return target.(string) != "" },
			GetFrom: func(target any) (any, error) { return types.String(target.(string)), nil },
		},
	},
}

// metadataField answers with the object itself: Object holds both the top-level fields and the metadata.
var metadataField = &types.FieldType{
	Type:    cel.ObjectType(metadataType),
	IsSet:   func(any) bool { return true },
	GetFrom: func(target any) (any, error) { return target, nil },
}

var creationTimestampField = &types.FieldType{
	Type:  cel.TimestampType,
	IsSet: func(target any) bool { return !target.(*Object).CreationTimestamp.IsZero() },
	GetFrom: func(target any) (any, error) {
		created := target.(*Object).CreationTimestamp
		if created.IsZero() {
			return nil, errors.New("creationTimestamp is not set")
		}
		return types.Timestamp{Time: created.UTC()}, nil
	},
}

func textField(get func(*Object) string) *types.FieldType {
	return &types.FieldType{
		Type:    cel.StringType,
		IsSet:   func(target any) bool { return get(target.(*Object)) != "" },
		GetFrom: func(target any) (any, error) { return types.String(get(target.(*Object))), nil },
	}
}

func mapField(get func(*Object) map[string]string) *types.FieldType {
	return &types.FieldType{
		Type:    cel.MapType(cel.StringType, cel.StringType),
		IsSet:   func(target any) bool { return len(get(target.(*Object))) > 0 },
		GetFrom: func(target any) (any, error) { return get(target.(*Object)), nil },
	}
}

// provider adds the schema to CEL's own types.
type provider struct{ *types.Registry }

func (p provider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := schema[name]; ok {
		return types.NewTypeTypeWithParam(cel.ObjectType(name)), true
	}
	return p.Registry.FindStructType(name)
}

func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	fields, ok := schema[name]
	if !ok {
		return p.Registry.FindStructFieldNames(name)
	}
	names := make([]string, 0, len(fields))
	for field := range fields {
		names = append(names, field)
	}
	return names, true
}

func (p provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if fields, ok := schema[name]; ok {
		found, ok := fields[field]
		return found, ok
	}
	return p.Registry.FindStructFieldType(name, field)
}

// NewValue refuses to construct an object: an expression reads them and never makes one.
func (p provider) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if _, ok := schema[name]; ok {
		return types.NewErr("%s cannot be constructed", name)
	}
	return p.Registry.NewValue(name, fields)
}
