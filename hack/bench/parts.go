package main

import (
	"context"
	"crypto/sha256"
	"io"
	"time"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// oneBlock is the longest text that fills one block of SHA-256 with its padding.
const oneBlock = 55

// partsSection measures what evaluations are made of: the check of a percentage, beside one block of the hash that it
// can't do without, and building a user.
func partsSection(_ context.Context, o options, w io.Writer) error {
	us, err := newOurs(newUsers())
	if err != nil {
		return err
	}
	block := make([]byte, oneBlock)
	attributes := newUser(1).attributes()
	timings, err := o.meter.compare([]contestant{
		{"static", us.runner("static", mode{threads: 1})},
		{"rollout", us.runner("rollout", mode{threads: 1})},
		{"block", repeated(func(int) { block[0] = sha256.Sum256(block)[0] })},
		{"user", repeated(func(int) { eval.NewUser(attributes) })},
	})
	if err != nil {
		return err
	}
	static, rollout, hash, user := timings[0], timings[1], timings[2], timings[3]
	check := timing{least: rollout.least - static.least, median: rollout.median - static.median, measured: true}
	t := table{title: "Parts of an evaluation: least (median) · allocations", header: []string{"", "time"}}
	t.add("SHA-256 of one block", hash.cellWithAllocs())
	t.add("percentage check (rollout less static, one user)", check.cellWithAllocs())
	t.add("percentage check, in blocks", hash.ratio(check))
	t.add("user built (5 properties, 1 custom field)", user.cellWithAllocs())
	t.print(w)
	return nil
}

// evaluatedAt is the instant of all evaluations.
func evaluatedAt() time.Time { return time.UnixMilli(evaluationTime) }
