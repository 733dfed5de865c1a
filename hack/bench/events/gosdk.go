package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	statsig "github.com/statsig-io/go-sdk"
)

// goSDK logs through the official Go SDK.
type goSDK struct {
	client *statsig.Client
	server *sink
	users  []statsig.User
	log    func(s *goSDK, i int)
}

func startGoSDK(server *sink, log func(s *goSDK, i int)) (session, error) {
	client, details := statsig.NewClientWithDetails("secret-bench", &statsig.Options{
		API: server.url, BootstrapValues: document, Environment: statsig.Environment{Tier: "production"},
		ConfigSyncInterval: time.Hour, IDListSyncInterval: time.Hour,
		OutputLoggerOptions: statsig.OutputLoggerOptions{LogCallback: func(string, error) {}},
		IPCountryOptions:    statsig.IPCountryOptions{Disabled: true},
		UAParserOptions:     statsig.UAParserOptions{Disabled: true},
	})
	if !details.Success {
		return nil, errors.Join(errors.New("starting the Go SDK"), details.Error)
	}
	s := &goSDK{client: client, server: server, log: log}
	for i := range userCount {
		s.users = append(s.users, statsig.User{
			UserID: userID(i), CustomIDs: map[string]string{"workload": "shop/checkout"},
			Custom: map[string]any{"region": "eu-west-1", "tier": "gold", "replicas": 12},
		})
	}
	return s, nil
}

func goSDKCustom(s *goSDK, i int) {
	s.client.LogEvent(statsig.Event{EventName: "rollout_finished", User: s.users[i%userCount], Value: strconv.Itoa(i)})
}

func goSDKExposure(s *goSDK, i int) { s.client.CheckGate(s.users[i%userCount], gateName) }

func (s *goSDK) logOne(i int) error {
	s.log(s, i)
	return nil
}

// finish looks at the server: the SDK returns from its shutdown before the last batches have arrived. There may be a
// few more events than were logged, about the SDK itself.
func (s *goSDK) finish(n int) error {
	s.client.Shutdown()
	for deadline := time.Now().Add(time.Minute); s.server.events.Load() < int64(n); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("only %d of %d events arrived", s.server.events.Load(), n)
		}
	}
	return nil
}
