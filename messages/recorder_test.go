package messages

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Recorder{Start: time.Now()}
		root := r.Begin(SpanOutbound, NoSpan)
		<-time.After(time.Millisecond)
		stage := r.Begin(SpanAccept, root)
		r.Event(stage, EventRoute, StringAttr(AttrAnswer, "yes"))
		r.Attr(stage, IntAttr(AttrWait, 3))
		r.Link(stage, TraceID{1}, SpanID{2})
		<-time.After(time.Millisecond)
		r.Fail(stage, ReasonNoService)
		<-time.After(time.Millisecond)
		r.End(stage) // it has ended
		r.EndOpen(ReasonCancelled)
		ms := time.Millisecond
		want := []SpanMark{
			{Name: SpanOutbound, Parent: NoSpan, Reason: ReasonCancelled, Start: 0, End: 3 * ms},
			{Name: SpanAccept, Parent: root, Reason: ReasonNoService, Start: ms, End: 2 * ms},
		}
		spans := r.Spans()
		if len(spans) != 2 || spans[0] != want[0] || spans[1] != want[1] {
			t.Errorf("spans %+v: want %+v", spans, want)
		}
		if e := r.Events(); len(e) != 1 || e[0].Span != stage || e[0].At != ms || e[0].Name != EventRoute || len(e[0].Attrs) != 1 {
			t.Errorf("events %+v", e)
		}
		if a := r.Attrs(); len(a) != 1 || a[0] != (AttrMark{stage, IntAttr(AttrWait, 3)}) {
			t.Errorf("attributes %+v", a)
		}
		if l := r.Links(); len(l) != 1 || l[0] != (LinkMark{stage, TraceID{1}, SpanID{2}}) {
			t.Errorf("links %+v", l)
		}
		r.Release()
		if len(r.Spans())+len(r.Events())+len(r.Attrs())+len(r.Links()) != 0 {
			t.Error("marks are kept after Release")
		}
	})
}

func TestSpanOfNoLengthHasEnded(t *testing.T) {
	r := &Recorder{Start: time.Now()}
	s := r.Span(SpanDial, NoSpan, time.Second, time.Second)
	r.EndOpen(ReasonInternal)
	if got := r.Spans()[s]; got.End <= got.Start || got.Reason != ReasonNone {
		t.Errorf("%+v", got)
	}
	atOnce := r.BeginAt(SpanDial, NoSpan, time.Hour)
	r.End(atOnce)
	if got := r.Spans()[atOnce]; got.End <= got.Start {
		t.Errorf("%+v ends before it starts", got)
	}
}

func TestRecorderBounds(t *testing.T) {
	r := &Recorder{Start: time.Now()}
	for i := range maxSpans + 3 {
		if s := r.Begin(SpanDial, NoSpan); (s == NoSpan) != (i >= maxSpans) {
			t.Fatalf("span %d: %d", i, s)
		}
	}
	for range maxEvents + 5 {
		r.Event(0, EventRoute)
		r.Attr(0, IntAttr(AttrWait, 1))
		r.Link(0, TraceID{1}, SpanID{1})
	}
	if len(r.Spans()) != maxSpans || len(r.Events()) != maxEvents || len(r.Attrs()) != maxEvents || len(r.Links()) != maxEvents {
		t.Errorf("%d spans, %d events, %d attributes, %d links", len(r.Spans()), len(r.Events()), len(r.Attrs()), len(r.Links()))
	}
	if r.Dropped != 3+5 {
		t.Errorf("%d counted as dropped: want 8", r.Dropped)
	}
}

func TestMarksOnNothing(t *testing.T) {
	mark := func(r *Recorder) {
		s := NoSpan
		if r == nil {
			s = r.Begin(SpanDial, NoSpan)
		}
		r.End(s)
		r.Event(s, EventRoute)
		r.Attr(s, IntAttr(AttrWait, 1))
		r.Link(s, TraceID{1}, SpanID{1})
		r.EndOpen(ReasonInternal)
		if s != NoSpan {
			t.Errorf("span %d of nothing", s)
		}
	}
	mark(nil)
	r := &Recorder{Start: time.Now()}
	mark(r)
	if len(r.Spans())+len(r.Events())+len(r.Attrs())+len(r.Links())+r.Dropped != 0 {
		t.Errorf("recorded %+v", r)
	}
}

func TestOrdinaryRecordingAllocatesOnce(t *testing.T) {
	r := &Recorder{Start: time.Now()}
	n := testing.AllocsPerRun(100, func() {
		r.Release()
		root := r.Begin(SpanOutbound, NoSpan)
		for range usualSpans - 1 {
			r.End(r.Begin(SpanDial, root))
		}
		r.End(root)
	})
	if n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func TestEventsOfEarlierAndOfAfterTheRelease(t *testing.T) {
	r := &Recorder{Start: time.Now()}
	s := r.Begin(SpanOutbound, NoSpan)
	r.EventAt(s, 5*time.Second, EventFault, StringAttr(AttrFault, "drop"))
	r.EventAt(NoSpan, time.Second, EventFault)
	if e := r.Events(); len(e) != 1 || e[0].At != 5*time.Second || e[0].Span != s || len(e[0].Attrs) != 1 {
		t.Errorf("events %+v", e)
	}
	r.Release()
	r.EventAt(s, 6*time.Second, EventFault)
	if e := r.Events(); len(e) != 1 || e[0].At != 6*time.Second {
		t.Errorf("events after the release %+v", e)
	}
	for range 2 * maxEvents {
		r.EventAt(s, 0, EventFault)
	}
	if n := len(r.Events()); n != maxEvents || r.Dropped != maxEvents+1 {
		t.Errorf("%d events, %d dropped", n, r.Dropped)
	}
	var none *Recorder
	none.EventAt(s, 0, EventFault)
}
