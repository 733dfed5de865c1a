package controllers

import (
	"errors"
	"fmt"
	"sync"

	"github.com/tidwall/gjson"

	"github.com/statsig-operator/statsig-operator/api/v1alpha1"
	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/eval/country"
	"github.com/statsig-operator/statsig-operator/pkg/eval/useragent"
)

// evalOptions are the evaluation settings of a project, without its ID lists.
func evalOptions(project *v1alpha1.StatsigProject) (eval.Options, error) {
	overrides, err := overridesOf(project)
	options := eval.Options{
		Environment: project.Spec.Environment, GlobalCustomFields: globalCustomFields(project), Overrides: overrides,
	}
	if err != nil {
		return options, err
	}
	spec := v1alpha1.EvaluationSpec{}
	if project.Spec.Evaluation != nil {
		spec = *project.Spec.Evaluation
	}
	if !spec.DisableCountryLookup {
		options.Country = country.New()
	}
	switch {
	case spec.DisableUserAgentParsing:
	case spec.ThirdPartyUserAgentParser:
		parser, err := thirdParty()
		if err != nil {
			return options, fmt.Errorf("setting up the user agent parser: %w", err)
		}
		options.UserAgent = parser
	default:
		options.UserAgent = useragent.FirstParty{}
	}
	return options, nil
}

// thirdParty is shared by all projects: it holds some hundred compiled expressions.
var thirdParty = sync.OnceValues(useragent.NewThirdParty)

func globalCustomFields(project *v1alpha1.StatsigProject) map[string]any {
	if project.Spec.Events == nil || len(project.Spec.Events.GlobalCustomFields) == 0 {
		return nil
	}
	fields := map[string]any{}
	for _, field := range project.Spec.Events.GlobalCustomFields {
		fields[field.Name] = field.Value
	}
	return fields
}

// overridesOf returns a project's local overrides, nil where there are none.
func overridesOf(project *v1alpha1.StatsigProject) (*eval.Overrides, error) {
	if len(project.Spec.Overrides) == 0 {
		return nil, nil
	}
	overrides := &eval.Overrides{}
	for i := range project.Spec.Overrides {
		if err := override(overrides, &project.Spec.Overrides[i]); err != nil {
			return nil, fmt.Errorf("spec.overrides[%d]: %w", i, err)
		}
	}
	return overrides, nil
}

func override(overrides *eval.Overrides, o *v1alpha1.Override) error {
	if o.Group != "" {
		if o.Value != nil {
			return errors.New("value and group exclude each other")
		}
		overrides.ExperimentGroup(o.Experiment, o.Group, o.IDs...)
		return nil
	}
	text := ""
	if o.Value != nil {
		text = string(o.Value.Raw)
	}
	if o.Gate != "" {
		if text != "true" && text != "false" {
			return fmt.Errorf("the value of gate %s must be true or false", o.Gate)
		}
		overrides.Gate(o.Gate, text == "true", o.IDs...)
		return nil
	}
	if !gjson.Parse(text).IsObject() {
		return errors.New("the value must be an object")
	}
	switch {
	case o.DynamicConfig != "":
		overrides.DynamicConfig(o.DynamicConfig, text, o.IDs...)
	case o.Experiment != "":
		overrides.Experiment(o.Experiment, text, o.IDs...)
	case o.Layer != "":
		overrides.Layer(o.Layer, text, o.IDs...)
	default:
		overrides.ParameterStore(o.ParameterStore, text, o.IDs...)
	}
	return nil
}
