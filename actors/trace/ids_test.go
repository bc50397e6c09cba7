package trace

import (
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func TestIDsRepeatWithASeedAndDifferWithout(t *testing.T) {
	var a, b, c messages.Recorder
	newIDSource(&[2]uint64{1, 2}).fill(&a)
	newIDSource(&[2]uint64{1, 2}).fill(&b)
	newIDSource(nil).fill(&c)
	if a.TraceID != b.TraceID || a.RootID != b.RootID || a.ConnectID != b.ConnectID {
		t.Errorf("one seed gives %v and %v", a.TraceID, b.TraceID)
	}
	if a.TraceID == c.TraceID || a.RootID == a.ConnectID || c.TraceID.IsZero() {
		t.Errorf("ids %v %v %v", a.TraceID, c.TraceID, a.RootID)
	}
	before := c.TraceID
	newIDSource(nil).fill(&c)
	if c.TraceID != before {
		t.Error("an id that was there is replaced")
	}
}
