package hbone

import (
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// abuse limits how often a peer may do what costs us more than it: each kind of frame has a bucket of tokens that
// fills again with time. Who empties one loses the connection with ENHANCE_YOUR_CALM. It belongs to the reader.
type abuse struct {
	resets, pings, setting, empties, other, mistakes bucket
}

// rate is the size of a bucket and how many tokens it gets back per second.
type rate struct{ burst, perSecond float64 }

var (
	// resetRate is for streams that the peer resets before they are answered: twice a full connection at once.
	resetRate = rate{400, 50}
	pingRate  = rate{200, 20}
	// settingsRate is for SETTINGS after the first.
	settingsRate = rate{50, 5}
	// emptyRate is for DATA that carries nothing and ends nothing.
	emptyRate = rate{1000, 100}
	// ignoredRate is for PRIORITY, unknown frames, informational responses and answers nobody asked for.
	ignoredRate = rate{10000, 1000}
	// mistakeRate is for what makes us reset a stream.
	mistakeRate = rate{1000, 20}
)

type bucket struct {
	used float64
	at   time.Time
}

// take takes one token; false if there is none.
func (b *bucket) take(r rate, now time.Time) bool {
	if !b.at.IsZero() {
		b.used = max(0, b.used-now.Sub(b.at).Seconds()*r.perSecond)
	}
	b.at = now
	b.used++
	return b.used <= r.burst
}

func calm(b *bucket, r rate, counter *atomic.Uint64, what string) error {
	if b.take(r, time.Now()) {
		return nil
	}
	counter.Add(1)
	return connErrorf(http2.ErrCodeEnhanceYourCalm, "too many %s", what)
}

func (a *abuse) reset(c *conn) error {
	return calm(&a.resets, resetRate, &c.set.Stats.ResetFloods, "resets of unanswered streams")
}

func (a *abuse) ping(c *conn) error {
	return calm(&a.pings, pingRate, &c.set.Stats.PingFloods, "PING frames")
}

func (a *abuse) settings(c *conn) error {
	return calm(&a.setting, settingsRate, &c.set.Stats.SettingsFloods, "SETTINGS frames")
}

func (a *abuse) empty(c *conn) error {
	return calm(&a.empties, emptyRate, &c.set.Stats.EmptyFrameFloods, "empty DATA frames")
}

func (a *abuse) ignored(c *conn) error {
	return calm(&a.other, ignoredRate, &c.set.Stats.IgnoredFrameFloods, "frames without effect")
}

func (a *abuse) mistake(c *conn) error {
	return calm(&a.mistakes, mistakeRate, &c.set.Stats.ErrorFloods, "stream errors")
}
