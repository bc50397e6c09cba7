package cni

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// wanted is one pod as spec/ops.md §3.4 says it: what the ledger must agree with after every step.
type wanted struct {
	served, failed uint64 // the namespace; 0 for none
	named, kept    bool
}

// book is a ledger beside what is wanted of it.
type book struct {
	t        *testing.T
	ledger   *ledger
	spaces   *spaces
	pods     map[string]*wanted
	snapshot bool
	steps    []string
}

func newBook(t *testing.T, uids ...string) *book {
	b := &book{t: t, ledger: newLedger(), spaces: &spaces{}, pods: map[string]*wanted{}}
	for _, uid := range uids {
		b.pods[uid] = &wanted{}
	}
	return b
}

var errTaken = errors.New("the port is taken")

// do does one of the steps.
func (b *book) do(step, uid string) {
	b.steps = append(b.steps, step+" "+uid)
	p := b.pods[uid]
	switch step {
	case "add in 1", "add in 2", "fail in 1", "fail in 2":
		ns := uint64(step[len(step)-1] - '0')
		var err error
		if step[0] == 'f' {
			err = errTaken
		}
		c := candidate{uid: uid, namespace: b.spaces.handle(ns)}
		serve := b.ledger.add(c)
		p.named = p.named || !b.snapshot
		if b.check(serve, p.served != ns, "has it served") {
			b.ledger.started(c, err)
			p.served, p.failed = ns, 0
			if err != nil {
				p.served, p.failed = 0, ns
			}
		}
	case "retry", "retry in vain":
		if c, ok := b.ledger.again(uid); b.check(ok, p.failed != 0, "tries it again") {
			var err error
			if step == "retry in vain" {
				err = errTaken
			} else {
				p.served, p.failed = p.failed, 0
			}
			b.ledger.started(c, err)
		}
	case "keep":
		b.check(b.ledger.keep(uid) != nil, b.snapshot, "breaks the protocol")
		p.kept = p.kept || !b.snapshot
		p.named = p.named || !b.snapshot
	case "delete":
		stop := p.failed != 0 || b.snapshot && p.served != 0
		p.failed, p.named, p.kept = 0, false, false
		if b.snapshot {
			p.served = 0
		}
		b.check(b.ledger.remove(uid), stop, "stops it")
	case "snapshot":
		var left []string
		if !b.snapshot {
			for uid, p := range b.pods {
				if !p.named && (p.served != 0 || p.failed != 0) {
					left = append(left, uid)
					*p = wanted{}
				}
				p.named = false
			}
		}
		slices.Sort(left)
		stop, err := b.ledger.sent()
		b.check(err != nil, b.snapshot, "breaks the protocol")
		b.check(slices.Equal(stop, left), true, fmt.Sprintf("stops %q and nobody else", left))
		b.snapshot = true
	case "connected":
		b.ledger.connected()
		for _, p := range b.pods {
			p.named, p.kept = false, false
		}
		b.snapshot = false
	}
	b.compare()
}

func (b *book) check(got, want bool, what string) bool {
	if got != want {
		b.t.Fatalf("after %q: %s is %v, want %v", b.steps, what, got, want)
	}
	return got
}

func (b *book) compare() {
	failed := 0
	var known []string
	for uid, p := range b.pods {
		b.check(b.ledger.served[uid].Inode == p.served, true, fmt.Sprintf("%s is served in %d", uid, p.served))
		c, has := b.ledger.failed[uid]
		b.check(has, p.failed != 0, uid+" has failed")
		if has {
			failed++
			b.check(c.namespace.ID().Inode == p.failed, true, "it has failed in that namespace")
			b.check(c.namespace.(*space).closed.Load(), false, "its handle is closed")
		}
		if p.served != 0 || p.failed != 0 || p.kept {
			known = append(known, uid)
		}
	}
	slices.Sort(known)
	b.check(slices.Equal(b.ledger.known(), known), true, "the pods known are right")
	b.check(b.ledger.ready(), b.snapshot && failed == 0, "it is ready")
	if open := b.spaces.open.Load(); open != int64(failed) {
		b.t.Fatalf("after %q: %d handles of namespaces are open, want %d", b.steps, open, failed)
	}
}

var (
	podSteps = []string{"add in 1", "add in 2", "fail in 1", "fail in 2", "retry", "retry in vain", "keep", "delete"}
	allSteps = []string{"snapshot", "connected"}
)

// TestLedgerInEveryOrder goes through every order of what may be asked about one pod.
func TestLedgerInEveryOrder(t *testing.T) {
	steps := slices.Concat(podSteps, allSteps)
	length := 5
	if testing.Short() {
		length = 4
	}
	order := make([]int, length)
	for {
		b := newBook(t, "a")
		for _, i := range order {
			b.do(steps[i], "a")
		}
		at := 0
		for at < length {
			if order[at]++; order[at] < len(steps) {
				break
			}
			order[at] = 0
			at++
		}
		if at == length {
			return
		}
	}
}

// TestLedgerAtRandom goes long ways with several pods.
func TestLedgerAtRandom(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 6))
		uids := []string{"a", "b", "c", "d"}
		b := newBook(t, uids...)
		b.steps = []string{fmt.Sprintf("seed %d", seed)}
		for range 200 {
			if random.IntN(6) == 0 {
				b.do(allSteps[random.IntN(len(allSteps))], "a")
				continue
			}
			b.do(podSteps[random.IntN(len(podSteps))], uids[random.IntN(len(uids))])
		}
	}
}
