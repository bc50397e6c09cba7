package agent

import (
	"net/netip"
	"time"
)

// Listen starts a server on address, which is ":port" or "ip:port", and returns where it listens.
func (a *Agent) Listen(address string, mode Mode) netip.AddrPort {
	a.tb.Helper()
	bound, err := call[netip.AddrPort](a, stepLimit, "listen", listenArgs{Address: address, Mode: mode})
	a.must(err)
	return bound
}

// Records waits until the server on address has accepted at least min connections, and returns what it knows.
func (a *Agent) Records(address string, minimum int) []Record {
	a.tb.Helper()
	records, err := call[[]Record](a, stepLimit, "records", recordsArgs{Address: address, Min: minimum})
	a.must(err)
	return records
}

// EndedRecords is Records, but waits for connections that have ended.
func (a *Agent) EndedRecords(address string, minimum int) []Record {
	a.tb.Helper()
	records, err := call[[]Record](a, stepLimit, "records", recordsArgs{Address: address, Min: minimum, Ended: true})
	a.must(err)
	return records
}

// Transfer moves bytes both ways between the agent and a server in mode Bulk and compares each of them.
func (a *Agent) Transfer(t Transfer) Transferred {
	a.tb.Helper()
	done, err := a.TryTransfer(t)
	a.must(err)
	return done
}

// TryTransfer is Transfer, or says what went wrong. It may be called from any goroutine.
func (a *Agent) TryTransfer(t Transfer) (Transferred, error) {
	return call[Transferred](a, transferLimit, "transfer", t)
}

// Many opens many connections at once to a server in mode Double, has each answered, and when all are open has each
// answered again.
func (a *Agent) Many(m Many) Held {
	a.tb.Helper()
	held, err := a.TryMany(m)
	a.must(err)
	return held
}

// Hold opens many connections at once as Many does, and keeps them open until [Agent.LetGo].
func (a *Agent) Hold(m Many) Held {
	a.tb.Helper()
	held, err := call[Held](a, transferLimit, "hold", m)
	a.must(err)
	return held
}

// LetGo has each connection of the first Hold answered again, and closes them.
func (a *Agent) LetGo() Held {
	a.tb.Helper()
	held, err := call[Held](a, transferLimit, "letgo", struct{}{})
	a.must(err)
	return held
}

// Probe opens connections one after the other and says how long each took until it was answered.
func (a *Agent) Probe(p Probe) []time.Duration {
	a.tb.Helper()
	took, err := call[[]time.Duration](a, transferLimit, "probe", p)
	a.must(err)
	return took
}

// TryMany is Many, or says what went wrong. It may be called from any goroutine.
func (a *Agent) TryMany(m Many) (Held, error) {
	return call[Held](a, transferLimit, "many", m)
}

// Conn is a connection that the agent has opened.
type Conn struct {
	a  *Agent
	id uint64
	// Local is the connection's own address.
	Local netip.AddrPort
}

// Dial connects to target, by way of nothing.
func (a *Agent) Dial(target netip.AddrPort) *Conn {
	a.tb.Helper()
	c, err := a.TryDial(Via{Target: target.String()})
	a.must(err)
	return c
}

// TryDial connects, or says why not.
func (a *Agent) TryDial(v Via) (*Conn, error) {
	c := &Conn{a: a, id: a.next.Add(1)}
	local, err := call[netip.AddrPort](a, stepLimit, "dial", dialArgs{Conn: c.id, Via: v})
	c.Local = local
	return c, err
}

// Write sends data.
func (c *Conn) Write(data string) {
	c.a.tb.Helper()
	c.a.must(c.TryWrite(data))
}

// TryWrite sends data, or says why not.
func (c *Conn) TryWrite(data string) error {
	_, err := call[struct{}](c.a, stepLimit, "write", ioArgs{Conn: c.id, Data: []byte(data)})
	return err
}

// Read reads n bytes, or what comes before the connection ends, and says how it ended.
func (c *Conn) Read(n int) (string, End) {
	c.a.tb.Helper()
	r, err := call[readResult](c.a, stepLimit, "read", ioArgs{Conn: c.id, N: n})
	c.a.must(err)
	return string(r.Data), r.End
}

// ReadAll reads to the end of the connection and says how it ended.
func (c *Conn) ReadAll() (string, End) {
	c.a.tb.Helper()
	return c.Read(1 << 20)
}

// Expect reads as many bytes as want has and compares.
func (c *Conn) Expect(want string) {
	c.a.tb.Helper()
	if got, end := c.Read(len(want)); got != want {
		c.a.tb.Fatalf("agent %s read %q (end %q), want %q", c.a.name, got, end, want)
	}
}

// ExpectEnd reads to the end and wants nothing more but that end.
func (c *Conn) ExpectEnd(want End) {
	c.a.tb.Helper()
	if got, end := c.ReadAll(); got != "" || end != want {
		c.a.tb.Fatalf("agent %s read %q and end %q, want nothing and %q", c.a.name, got, end, want)
	}
}

// CloseWrite ends the sending side.
func (c *Conn) CloseWrite() { c.a.tb.Helper(); c.step("closewrite") }

// Reset closes with a reset.
func (c *Conn) Reset() { c.a.tb.Helper(); c.step("reset") }

// Close closes both sides.
func (c *Conn) Close() { c.a.tb.Helper(); c.step("close") }

func (c *Conn) step(op string) {
	c.a.tb.Helper()
	_, err := call[struct{}](c.a, stepLimit, op, ioArgs{Conn: c.id})
	c.a.must(err)
}

func (a *Agent) must(err error) {
	a.tb.Helper()
	if err != nil {
		a.tb.Fatal(err)
	}
}

// within is the time at which an operation gives up.
func within(limit time.Duration) time.Time { return time.Now().Add(limit) }
