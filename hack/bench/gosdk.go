package main

import (
	"errors"

	statsig "github.com/statsig-io/go-sdk"
)

// goSDK is how Statsig's SDK in pure Go is called in tables.
const goSDK = "Statsig go-sdk"

// newGoSDKClient starts a client of the Go SDK with a document of the v1 form, without network, logs, or the tables of
// user agents and addresses.
func newGoSDKClient(text string) (*statsig.Client, error) {
	client, details := statsig.NewClientWithDetails("secret-bench", &statsig.Options{
		LocalMode: true, BootstrapValues: text,
		OutputLoggerOptions:  statsig.OutputLoggerOptions{LogCallback: func(string, error) {}},
		StatsigLoggerOptions: statsig.StatsigLoggerOptions{DisableAllLogging: true},
		IPCountryOptions:     statsig.IPCountryOptions{Disabled: true},
		UAParserOptions:      statsig.UAParserOptions{Disabled: true},
	})
	if !details.Success {
		return nil, errors.Join(errors.New("starting the Go SDK"), details.Error)
	}
	return client, nil
}

// newGoSDK is Statsig's SDK in pure Go, exposures off.
func newGoSDK(users []user) (*goPeer, error) {
	text, err := scenarioDocument(true)
	if err != nil {
		return nil, err
	}
	client, err := newGoSDKClient(string(text))
	if err != nil {
		return nil, err
	}
	prepared := make([]statsig.User, len(users))
	for i, u := range users {
		prepared[i] = u.goSDK()
	}
	return &goPeer{title: goSDK, hashesAlike: true, stop: client.Shutdown, check: func(flag string) func(int) bool {
		return func(user int) bool { return client.CheckGateWithExposureLoggingDisabled(prepared[user], flag) }
	}}, nil
}

func (u user) goSDK() statsig.User {
	return statsig.User{
		UserID: u.id, Email: u.email, Country: u.country, AppVersion: u.appVersion,
		Custom: map[string]any{"level": u.level},
	}
}
