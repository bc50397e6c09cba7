package memnet

import "time"

// segmentSize is the most that becomes readable at once on a link with a bandwidth.
const segmentSize = 16 << 10

// segment is bytes that were written together and arrive together.
type segment struct {
	due  time.Time
	data []byte
}

// stream is one direction of a connection: what its receiving end has not read yet, arrived or under way.
type stream struct {
	segments []segment
	size     int       // bytes in segments
	free     time.Time // when the wire takes the next byte
	last     time.Time // when the last thing sent is due, so that nothing overtakes
	net      *Network
	number   uint64        // of the sending end
	most     time.Duration // the largest skew so far
	credits  []credit      // room that the sender has not heard of yet
	ended    bool          // FIN was sent
	end      time.Time     // and is due then
}

// send puts p on the wire and returns when it is due.
func (s *stream) send(p []byte, l *link) time.Time {
	for len(p) > 0 {
		part := p
		if l.Bandwidth > 0 && len(part) > segmentSize {
			part = part[:segmentSize]
		}
		p = p[len(part):]
		s.free = later(s.free, time.Now()).Add(l.transmission(len(part)))
		s.last = later(s.last, l.due(s.free.Add(l.Latency+s.skew())))
		s.size += len(part)
		if n := len(s.segments); n > 0 && s.segments[n-1].due.Equal(s.last) {
			s.segments[n-1].data = append(s.segments[n-1].data, part...)
			continue
		}
		s.segments = append(s.segments, segment{due: s.last, data: append([]byte(nil), part...)})
	}
	return s.last
}

// sendEnd sends FIN behind everything.
func (s *stream) sendEnd(l *link) {
	s.ended = true
	s.last = later(s.last, l.due(later(s.free, time.Now()).Add(l.Latency+s.skew())))
	s.end = s.last
}

// credit is room that reading has made and that the sender hears of at a time.
type credit struct {
	due time.Time
	n   int
}

// credit tells the sender of n bytes of room at a time.
func (s *stream) credit(due time.Time, n int) {
	if last := len(s.credits); last > 0 && s.credits[last-1].due.Equal(due) {
		s.credits[last-1].n += n
		return
	}
	s.credits = append(s.credits, credit{due, n})
}

// taken is how much of the buffer is taken as far as the sender has heard.
func (s *stream) taken(l *link) int {
	for len(s.credits) > 0 && l.arrived(s.credits[0].due) {
		s.credits = s.credits[1:]
	}
	taken := s.size
	for _, c := range s.credits {
		taken += c.n
	}
	return taken
}

// creditDue is when the sender hears of more room; zero if that is not under way.
func (s *stream) creditDue() time.Time {
	if len(s.credits) == 0 {
		return time.Time{}
	}
	return s.credits[0].due
}

// skew is what comes on top of the link's latency now.
func (s *stream) skew() time.Duration {
	now := s.net.skew(s.number)
	s.most = max(s.most, now)
	return now
}

// readable says whether bytes have arrived.
func (s *stream) readable(l *link) bool { return len(s.segments) > 0 && l.arrived(s.segments[0].due) }

// finished says whether FIN has arrived and everything before it was read.
func (s *stream) finished(l *link) bool { return s.ended && len(s.segments) == 0 && l.arrived(s.end) }

// due is when the next thing arrives; zero if nothing is under way.
func (s *stream) due() time.Time {
	switch {
	case len(s.segments) > 0:
		return s.segments[0].due
	case s.ended:
		return s.end
	}
	return time.Time{}
}

// read takes what has arrived, as much as fits p.
func (s *stream) read(p []byte, l *link) int {
	n := 0
	for n < len(p) && s.readable(l) {
		head := &s.segments[0]
		k := copy(p[n:], head.data)
		n += k
		head.data = head.data[k:]
		if len(head.data) == 0 {
			head.data = nil
			if s.segments = s.segments[1:]; len(s.segments) == 0 {
				s.segments = nil // let go of the array
			}
		}
	}
	s.size -= n
	return n
}

// dropUnsent forgets what has not yet gone out on the wire, or was lost in a partition: a sender that resets does
// not send it again. The end goes too, so that what was lost doesn't look complete.
func (s *stream) dropUnsent(l *link) {
	sent := l.horizon().Add(l.Latency + s.most)
	s.ended = s.ended && !s.end.After(sent)
	for n := len(s.segments); n > 0 && s.segments[n-1].due.After(sent); n-- {
		s.size -= len(s.segments[n-1].data)
		s.segments = s.segments[:n-1]
	}
}

// resend makes what should have arrived after a partition began arrive at a later time.
func (s *stream) resend(since, at time.Time) {
	for i := range s.segments {
		if s.segments[i].due.After(since) {
			s.segments[i].due = later(s.segments[i].due, at)
			s.last = later(s.last, s.segments[i].due)
		}
	}
	if s.ended && s.end.After(since) {
		s.end = later(s.end, at)
		s.last = later(s.last, s.end)
	}
}
