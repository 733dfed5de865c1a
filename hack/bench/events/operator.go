package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
	"github.com/statsig-operator/statsig-operator/pkg/events"
	"github.com/statsig-operator/statsig-operator/pkg/events/spool"
	"github.com/statsig-operator/statsig-operator/pkg/secret"
)

const (
	// crowded is how many events wait at most: the benchmark measures delivery, not loss.
	crowded    = 60_000
	checkEvery = 500
	wait       = 100 * time.Microsecond
	// safeEvery is after how many events the variants that ask for it make sure that they are on disk.
	safeEvery = 1000
)

// operator logs through pkg/events.
type operator struct {
	logger    *events.Logger
	ctx       context.Context //nolint:containedctx // the session ends it
	end       context.CancelFunc
	ended     chan error
	log       func(o *operator, i int) bool
	isSafe    bool
	evaluator *eval.Evaluator
	users     []*eval.User
	// loggable are the users as they leave the process: the operator makes them once for all entries of a unit.
	loggable [][]byte
	now      time.Time
}

type operatorOptions struct {
	log     func(o *operator, i int) bool
	isSpool bool
	isSafe  bool
	fsync   spool.SyncPolicy
}

func startOperator(server *sink, dir string, o operatorOptions) (session, error) {
	parsed, err := eval.Decode([]byte(document))
	if err != nil {
		return nil, err
	}
	snapshot, err := eval.Compile(parsed, eval.Origin{Source: "Network"})
	if err != nil {
		return nil, err
	}
	options := events.Options{
		SDKKey: secret.NewKey("secret-bench"), Now: time.Now, URL: server.url + "/log_event",
		RepeatEvery: time.Nanosecond, // every exposure counts, as with the Go SDK
	}
	if o.isSpool {
		options.Spool = events.SpoolOptions{Dir: dir, Fsync: o.fsync}
	}
	logger, err := events.New(options)
	if err != nil {
		return nil, err
	}
	s := &operator{
		logger: logger, ended: make(chan error, 1), log: o.log, isSafe: o.isSafe,
		evaluator: eval.NewEvaluator(snapshot, eval.Options{Environment: "production"}), now: time.Now(),
	}
	s.ctx, s.end = context.WithCancel(context.Background())
	for i := range userCount {
		u := eval.NewUser(eval.UserAttributes{
			UserID: userID(i), CustomIDs: map[string]string{"workload": "shop/checkout"},
			Custom: map[string]any{"region": "eu-west-1", "tier": "gold", "replicas": 12},
		})
		s.users, s.loggable = append(s.users, u), append(s.loggable, s.evaluator.LoggableUser(nil, u))
	}
	go func() { s.ended <- logger.Run(s.ctx) }()
	return s, nil
}

func operatorCustom(o *operator, i int) bool {
	return o.logger.Log(events.CustomEvent{
		Name: "rollout_finished", User: o.loggable[i%userCount], Value: events.String(strconv.Itoa(i)),
	})
}

func operatorExposure(o *operator, i int) bool {
	u := o.users[i%userCount]
	result := o.evaluator.Evaluate(eval.Ref{Kind: eval.KindGate, Name: gateName}, u, o.now, nil)
	return o.logger.Expose(events.Exposure{Result: result, User: o.loggable[i%userCount], Unit: userID(i % userCount)})
}

func (o *operator) logOne(i int) error {
	if i%checkEvery == 0 {
		for o.logger.Stats().Pending > crowded {
			time.Sleep(wait)
		}
	}
	if !o.log(o, i) {
		return fmt.Errorf("event %d was not queued", i)
	}
	if o.isSafe && i%safeEvery == safeEvery-1 {
		return o.logger.Sync(o.ctx)
	}
	return nil
}

func (o *operator) finish(n int) error {
	defer o.end()
	err := o.logger.Flush(o.ctx)
	if err != nil && !errors.Is(err, events.ErrSpooled) {
		return err
	}
	for o.logger.Stats().Spool.Events > 0 {
		time.Sleep(wait)
	}
	o.end()
	if err := <-o.ended; err != nil {
		return err
	}
	if stats := o.logger.Stats(); stats.Delivered != int64(n) {
		return fmt.Errorf("delivered %d of %d events, dropped %v", stats.Delivered, n, stats.Dropped)
	}
	return nil
}
