package state

import (
	"cmp"
	"slices"

	"github.com/troupe-mesh/troupe/messages"
)

// maxPolicyAnswers bounds the frozen answers that the policy table keeps, one per namespace and list of keys.
const maxPolicyAnswers = 4096

// PolicyTable indexes policies by key and by the namespace they apply to (spec/control.md §3.10). It is not safe for
// concurrent use.
type PolicyTable struct {
	version uint64
	byKey   map[string]*messages.Authorization
	// byNamespace lists policies by key; global ones are under "". Those that select workloads are in none.
	byNamespace map[string][]*messages.Authorization
	answers     map[string]applicable
	scratch     []byte
	redelivery  sweep[string]
	// Dropped counts the kept answers that were thrown away because there were too many.
	Dropped uint64
}

// applicable is what FindPolicies answers, kept until policies change.
type applicable struct {
	policies []*messages.Authorization
	unknown  []string
}

// NewPolicyTable makes an empty table.
func NewPolicyTable() *PolicyTable {
	return &PolicyTable{
		byKey:       map[string]*messages.Authorization{},
		byNamespace: map[string][]*messages.Authorization{},
		answers:     map[string]applicable{},
	}
}

// Version grows with every update.
func (t *PolicyTable) Version() uint64 { return t.version }

// Apply makes the changes that u tells, removals first.
func (t *PolicyTable) Apply(u *messages.UpdatePolicies) {
	t.version++
	clear(t.answers)
	if u.Reset {
		begin(&t.redelivery, t.byKey)
	}
	for _, key := range u.Remove {
		t.remove(key)
	}
	for _, p := range u.Set {
		t.set(p)
	}
	if u.More {
		return
	}
	for _, key := range t.redelivery.end() {
		t.remove(key)
	}
}

func (t *PolicyTable) set(p *messages.Authorization) {
	t.redelivery.spare(p.Key)
	t.remove(p.Key)
	t.byKey[p.Key] = p
	namespace, ok := appliesTo(p)
	if !ok {
		return
	}
	list := t.byNamespace[namespace]
	at, _ := slices.BinarySearchFunc(list, p.Key, func(have *messages.Authorization, key string) int {
		return cmp.Compare(have.Key, key)
	})
	t.byNamespace[namespace] = slices.Insert(list, at, p)
}

func (t *PolicyTable) remove(key string) {
	p := t.byKey[key]
	if p == nil {
		return
	}
	delete(t.byKey, key)
	if namespace, ok := appliesTo(p); ok {
		drop(t.byNamespace, namespace, p)
	}
}

// appliesTo is the namespace under which p is indexed; false for a policy that selects workloads.
func appliesTo(p *messages.Authorization) (string, bool) {
	switch p.Scope {
	case messages.ScopeGlobal:
		return "", true
	case messages.ScopeNamespace:
		return p.Namespace, true
	case messages.ScopeWorkloadSelector:
	}
	return "", false
}

// FindPolicies answers the question of that name: the policies of the workload's namespace, the global ones and those
// that the workload lists, each once, whatever the scope of a listed one.
func (t *PolicyTable) FindPolicies(q *messages.FindPolicies) *messages.PoliciesFound {
	f := t.applicable(q.Workload)
	return &messages.PoliciesFound{
		Answer: answer(&q.Question, t.version), Policies: f.policies, Unknown: f.unknown,
	}
}

func (t *PolicyTable) applicable(w *messages.Workload) applicable {
	t.scratch = append(t.scratch[:0], w.Namespace...)
	for _, key := range w.AuthorizationPolicies {
		t.scratch = append(append(t.scratch, 0), key...)
	}
	if f, ok := t.answers[string(t.scratch)]; ok {
		return f
	}
	if len(t.answers) >= maxPolicyAnswers {
		t.Dropped += uint64(len(t.answers))
		clear(t.answers)
	}
	f := t.collect(w)
	t.answers[string(t.scratch)] = f
	return f
}

func (t *PolicyTable) collect(w *messages.Workload) applicable {
	var f applicable
	f.policies = append(f.policies, t.byNamespace[w.Namespace]...)
	if w.Namespace != "" {
		f.policies = append(f.policies, t.byNamespace[""]...)
	}
	for _, key := range w.AuthorizationPolicies {
		switch p := t.byKey[key]; {
		case p == nil:
			if !slices.Contains(f.unknown, key) {
				f.unknown = append(f.unknown, key)
			}
		case !slices.Contains(f.policies, p):
			f.policies = append(f.policies, p)
		}
	}
	return f
}

// DumpState answers the question of that name.
func (t *PolicyTable) DumpState(q *messages.DumpState) *messages.PoliciesDumped {
	a := &messages.PoliciesDumped{Answer: answer(&q.Question, t.version)}
	for _, p := range t.byKey {
		a.Policies = append(a.Policies, p)
	}
	slices.SortFunc(a.Policies, func(x, y *messages.Authorization) int { return cmp.Compare(x.Key, y.Key) })
	return a
}
