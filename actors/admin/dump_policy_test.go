package admin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/troupe-mesh/troupe/messages"
)

func TestDumpUnknownPolicies(t *testing.T) {
	policies := []*messages.Authorization{{Key: "shop/known"}}
	workloads := []*messages.Workload{
		{UID: "b", AuthorizationPolicies: []string{"shop/gone", "shop/known", "shop/gone"}},
		{UID: "a", AuthorizationPolicies: []string{"shop/other", "shop/gone"}},
		{UID: "c", AuthorizationPolicies: []string{"shop/known"}},
		{UID: "d"},
	}
	want := map[string][]string{"shop/gone": {"a", "b"}, "shop/other": {"a"}}
	if diff := cmp.Diff(want, dumpUnknownPolicies(workloads, policies)); diff != "" {
		t.Error(diff)
	}
	if got := dumpUnknownPolicies(workloads[2:], policies); len(got) != 0 {
		t.Errorf("%v, where all are known", got)
	}
}
