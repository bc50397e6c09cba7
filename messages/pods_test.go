package messages

import "testing"

func TestOneTakesAClaim(t *testing.T) {
	a := ConnectionAccepted{Claim: &Claim{}}
	b := a // as a message that comes twice
	if !a.Claim.Take() || b.Claim.Take() || a.Claim.Take() {
		t.Error("not one of the two has the claim")
	}
	var nobodys *Claim
	for range 2 {
		if !nobodys.Take() {
			t.Error("what nobody claims is refused")
		}
	}
}
