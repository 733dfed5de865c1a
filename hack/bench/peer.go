package main

import (
	"fmt"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// mode is how evaluations are repeated: for one user or for all in turn, on how many threads.
type mode struct {
	rotate  bool
	threads int
}

// peer is an evaluator that knows the flags of the scenarios and the users.
type peer interface {
	name() string
	// statsig tells whether it hashes as Statsig does.
	statsig() bool
	// answers are the values of a flag for all users, nil where the evaluator has no such thing.
	answers(flag string) ([]bool, error)
	// runner returns what evaluates a flag n times on each thread, nil where the evaluator has no such thing.
	runner(flag string, m mode) func(n int) (sample, error)
	close()
}

// goPeer is an evaluator written in Go.
type goPeer struct {
	title string
	// check returns what evaluates a flag for the user of a number, nil where the evaluator has no such thing.
	check func(flag string) func(user int) bool
	stop  func()
	// hashesAlike is set where percentages divide users as Statsig divides them.
	hashesAlike bool
}

func (p *goPeer) name() string { return p.title }

func (p *goPeer) statsig() bool { return p.hashesAlike }

func (p *goPeer) close() {
	if p.stop != nil {
		p.stop()
	}
}

func (p *goPeer) answers(flag string) ([]bool, error) {
	check := p.check(flag)
	if check == nil {
		return nil, nil
	}
	answers := make([]bool, userCount)
	for i := range answers {
		answers[i] = check(i)
	}
	return answers, nil
}

func (p *goPeer) runner(flag string, m mode) func(n int) (sample, error) {
	check := p.check(flag)
	if check == nil {
		return nil
	}
	return each(m.threads, func(thread, n int) { loop(check, m.rotate, thread*userCount/m.threads, n) })
}

// loop evaluates n times, beginning at one user.
func loop(check func(user int) bool, rotate bool, first, n int) {
	if !rotate {
		for range n {
			check(0)
		}
		return
	}
	user := first
	for range n {
		check(user)
		if user++; user == userCount {
			user = 0
		}
	}
}

// newOurs is the evaluator of this repository. Like LaunchDarkly's it is given a time and users made beforehand; other
// than that one it finds a flag by its name each time.
func newOurs(users []user) (*goPeer, error) {
	text, err := scenarioDocument(false)
	if err != nil {
		return nil, err
	}
	e, err := newEvaluator(text)
	if err != nil {
		return nil, err
	}
	prepared := make([]*eval.User, len(users))
	for i, u := range users {
		prepared[i] = eval.NewUser(u.attributes())
	}
	now := evaluatedAt()
	return &goPeer{title: ours, hashesAlike: true, check: func(flag string) func(int) bool {
		ref := eval.Ref{Kind: eval.KindGate, Name: flag}
		return func(user int) bool { return e.Evaluate(ref, prepared[user], now, nil).Pass }
	}}, nil
}

// ours is how this repository's evaluator is called in tables.
const ours = "pkg/eval"

func newEvaluator(text []byte) (*eval.Evaluator, error) {
	s, err := compileDocument(text)
	if err != nil {
		return nil, err
	}
	return eval.NewEvaluator(s, eval.Options{}), nil
}

// compileDocument decodes and compiles a document; every spec must be readable.
func compileDocument(text []byte) (*eval.Snapshot, error) {
	d, err := eval.Decode(text)
	if err != nil {
		return nil, err
	}
	if problems := d.Problems(); len(problems) > 0 {
		return nil, fmt.Errorf("specs that can't be read, the first one: %v", problems[0])
	}
	return eval.Compile(d, eval.Origin{Source: "Bootstrap"})
}

func (u user) attributes() eval.UserAttributes {
	return eval.UserAttributes{
		UserID: u.id, Email: u.email, Country: u.country, AppVersion: u.appVersion, Custom: map[string]any{"level": u.level},
	}
}
