package hbone

// Outlet is where a relay wants a stream's bytes. TryWrite and WaitWritable are those of the application's
// socket.Conn; the other two must not wait either.
type Outlet interface {
	// TryWrite writes what the application takes at once.
	TryWrite(p []byte) (n int, err error)
	// WaitWritable waits until TryWrite can make progress. It is called on a goroutine that exists only while the
	// application is slow.
	WaitWritable() error
	// Delivered says that n bytes were written.
	Delivered(n int)
	// Ended is called once, after the last byte: with what ended the receiving side (io.EOF for END_STREAM), or with
	// what made TryWrite or WaitWritable fail.
	Ended(readErr, writeErr error)
}

// Deliver sends everything that is received, and has been, to o. From now on nobody may Read. Bytes are written by
// the connection's reader itself; what the application does not take is kept, at most the stream's window of it,
// and written by a goroutine that ends when it has caught up.
func (s *Stream) Deliver(o Outlet) {
	s.mu.Lock()
	s.outlet = o
	if s.queue.head != nil {
		s.busy = true
		s.mu.Unlock()
		s.pump(false)
		return
	}
	s.tellEnd()
}

// deliver takes received bytes from the reader.
func (s *Stream) deliver(p []byte) {
	s.mu.Lock()
	o := s.outlet
	switch {
	case s.dropped:
		s.mu.Unlock()
		return
	case o == nil || s.busy || s.queue.head != nil:
		s.keep(p)
		s.mu.Unlock()
		return
	}
	s.busy = true
	s.mu.Unlock()
	n, err := o.TryWrite(p)
	if n > 0 {
		o.Delivered(n)
		s.credit(n)
	}
	s.mu.Lock()
	if err != nil {
		s.refused(err)
		return
	}
	if n < len(p) && !s.dropped {
		s.c.set.Stats.SlowApplications.Add(1)
		s.keep(p[n:])
		s.mu.Unlock()
		go s.pump(true)
		return
	}
	s.busy = false
	s.tellEnd()
}

// pump writes what is kept until nothing is left. It owns the outlet (s.busy). It waits for a slow application, or,
// where wait is false, leaves that to a goroutine.
func (s *Stream) pump(wait bool) {
	for {
		s.mu.Lock()
		b := s.queue.head
		if b == nil || s.dropped {
			s.busy = false
			if s.dropped {
				s.discard()
			}
			s.tellEnd()
			return
		}
		p := b.bytes() // the reader may append behind p meanwhile, nobody else touches it
		s.mu.Unlock()
		n, err := s.outlet.TryWrite(p)
		if n > 0 {
			s.mu.Lock()
			s.queue.skip(n)
			s.mu.Unlock()
			s.outlet.Delivered(n)
			s.consumed(n)
		}
		if err == nil && n < len(p) {
			if !wait {
				s.c.set.Stats.SlowApplications.Add(1)
				go s.pump(true)
				return
			}
			err = s.outlet.WaitWritable()
		}
		if err != nil {
			s.mu.Lock()
			s.refused(err)
			return
		}
	}
}

// refused ends delivery because the application failed. The stream's window is not given back any more, so that the
// peer stops. s.mu is held and gets released; so does s.busy.
func (s *Stream) refused(err error) {
	s.busy, s.dropped = false, true
	s.discard()
	told := s.told
	s.told = true
	o := s.outlet
	s.mu.Unlock()
	if !told {
		o.Ended(nil, err)
	}
}

// tellEnd tells the outlet that everything was delivered, if that is so. s.mu is held and gets released.
func (s *Stream) tellEnd() {
	o, err := s.outlet, s.readErr
	if o == nil || err == nil || s.busy || s.told || s.queue.head != nil {
		s.mu.Unlock()
		return
	}
	s.told = true
	s.mu.Unlock()
	o.Ended(err, nil)
}
