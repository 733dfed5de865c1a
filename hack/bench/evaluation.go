package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
)

// evaluationSection measures the scenarios: one user and all in turn, on one thread and on two.
func evaluationSection(ctx context.Context, o options, w io.Writer) error {
	peers, err := newPeers(ctx, o, w)
	if err != nil {
		return err
	}
	defer func() {
		for _, p := range peers {
			p.close()
		}
	}()
	if err := agree(peers, w); err != nil {
		return err
	}
	for _, m := range []struct {
		title string
		mode
	}{
		{fmt.Sprintf("%d users in rotation", userCount), mode{rotate: true, threads: 1}},
		{"one user", mode{threads: 1}},
		{fmt.Sprintf("%d users in rotation, two threads", userCount), mode{rotate: true, threads: 2}},
		{"one user, two threads", mode{threads: 2}},
	} {
		if err := measureScenarios(peers, m.title, m.mode, o.meter, w); err != nil {
			return err
		}
	}
	return measureThroughput(peers, o.meter, w)
}

// newPeers builds all evaluators, ours first.
func newPeers(ctx context.Context, o options, w io.Writer) ([]peer, error) {
	users := newUsers()
	us, err := newOurs(users)
	if err != nil {
		return nil, err
	}
	darkly := newLaunchDarkly(users)
	sdk, err := newGoSDK(users)
	if err != nil {
		return nil, err
	}
	book, err := newGrowthBook(ctx, users)
	if err != nil {
		return nil, err
	}
	text, err := scenarioDocument(false)
	if err != nil {
		return nil, err
	}
	core, err := startNode(ctx, o, text, w)
	if err != nil || core == nil {
		return []peer{us, darkly, sdk, book}, err
	}
	return []peer{us, darkly, sdk, book, core}, core.setUsers(users)
}

// shareTolerance is how far from half a percentage of 50 may pass of all users: more than four standard deviations.
const shareTolerance = 0.015

// agree holds every answer against the rules' plain meaning before anything is timed. Where a percentage decides,
// Statsig's evaluators must agree user by user, and the others, whose hashes differ, in the share that passes.
func agree(peers []peer, w io.Writer) error {
	plain, users := newRules(features()), newUsers()
	for _, name := range scenarios() {
		reference, err := peers[0].answers(name)
		if err != nil {
			return err
		}
		for _, p := range peers {
			answers, err := p.answers(name)
			if err != nil {
				return err
			}
			if answers == nil {
				continue
			}
			if err := agreeOn(name, p, answers, reference, plain, users); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(w, "All %d evaluators answer alike, for %d users in %d scenarios.\n", len(peers), userCount, len(scenarios()))
	return nil
}

func agreeOn(name string, p peer, answers, reference []bool, plain rules, users []user) error {
	open, passed := 0, 0
	for i, got := range answers {
		want, known := plain.answer(name, users[i])
		if !known {
			open++
			if got {
				passed++
			}
			if want = got; p.statsig() {
				want = reference[i]
			}
		}
		if got != want {
			return fmt.Errorf("%s answers %v for flag %s and user %d, want %v", p.name(), got, name, i, want)
		}
	}
	if share := float64(passed) / float64(max(open, 1)); open > 0 && math.Abs(share-0.5) > shareTolerance {
		return fmt.Errorf("%s passes %.3f of the users of flag %s, want a half", p.name(), share, name)
	}
	return nil
}

func measureScenarios(peers []peer, title string, m mode, how meter, w io.Writer) error {
	speed := table{title: "Evaluation, " + title + ": least (median) time per evaluation · allocations", header: []string{""}}
	ratios := table{title: "The same as multiples of " + ours, header: []string{""}}
	for i, p := range peers {
		speed.header = append(speed.header, p.name())
		if i > 0 {
			ratios.header = append(ratios.header, p.name())
		}
	}
	for _, name := range scenarios() {
		contestants := make([]contestant, len(peers))
		for i, p := range peers {
			contestants[i] = contestant{p.name(), p.runner(name, m)}
		}
		timings, err := how.compare(contestants)
		if err != nil {
			return err
		}
		cells, multiples := []string{name}, []string{name}
		for i, t := range timings {
			cells = append(cells, t.cellWithAllocs())
			if i > 0 {
				multiples = append(multiples, timings[0].ratio(t))
			}
		}
		speed.add(cells...)
		ratios.add(multiples...)
	}
	speed.print(w)
	ratios.print(w)
	return nil
}

// measureThroughput counts evaluations per second, on one core and on all.
func measureThroughput(peers []peer, how meter, w io.Writer) error {
	cores := runtime.GOMAXPROCS(0)
	t := table{
		title:  fmt.Sprintf("Evaluations per second, scenario match, %d users in rotation", userCount),
		header: []string{"", "one thread", fmt.Sprintf("%d threads", cores), "scales by"},
	}
	for _, p := range peers {
		timings, err := how.compare([]contestant{
			{p.name(), p.runner("match", mode{rotate: true, threads: 1})},
			{p.name(), p.runner("match", mode{rotate: true, threads: cores})},
		})
		if err != nil {
			return err
		}
		t.add(p.name(), timings[0].perSecond(), timings[1].perSecond(), timings[1].ratio(timings[0]))
	}
	t.print(w)
	return nil
}

func (t timing) perSecond() string {
	if !t.measured {
		return none
	}
	return fmt.Sprintf("%.2f M", 1e3/t.least)
}
