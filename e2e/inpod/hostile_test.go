package inpod

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// peer is one side of a hand-over that is not ours.
type peer struct {
	t    *testing.T
	conn *net.UnixConn
}

func (p peer) say(text string, fds ...int) {
	p.t.Helper()
	_ = p.conn.SetWriteDeadline(time.Now().Add(limit))
	if _, _, err := p.conn.WriteMsgUnix([]byte(text), unix.UnixRights(fds...), nil); err != nil {
		p.t.Logf("say %.40q: %v", text, err) // the other has hung up
	}
}

// hear returns the next packet, its descriptors closed; what ended the conversation where there is none.
func (p peer) hear() string {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(limit))
	buf, control := make([]byte, 1<<16), make([]byte, 1024)
	n, c, _, _, err := p.conn.ReadMsgUnix(buf, control)
	if err != nil {
		return err.Error()
	}
	if messages, err := unix.ParseSocketControlMessage(control[:c]); err == nil {
		for i := range messages {
			fds, _ := unix.ParseUnixRights(&messages[i])
			for _, fd := range fds {
				_ = unix.Close(fd)
			}
		}
	}
	return string(buf[:n])
}

// hearUntil reads on until a packet has text, or the conversation ends; it reports which.
func (p peer) hearUntil(text string) bool {
	p.t.Helper()
	for {
		got := p.hear()
		if strings.Contains(got, text) {
			return true
		}
		if !strings.HasPrefix(got, "{") {
			return false
		}
	}
}

// namespaceOf is how the conversation names a namespace.
func (m *member) namespaceOf() string {
	m.w.t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(int(m.NS.File().Fd()), &st); err != nil {
		m.w.t.Fatal(err)
	}
	return fmt.Sprintf(`{"Device":%d,"Inode":%d}`, st.Dev, st.Ino)
}

// listening makes a listening socket in the member's namespace.
func (m *member) listening() int {
	m.w.t.Helper()
	var l net.Listener
	var plain net.ListenConfig
	plain.SetMultipathTCP(false)
	err := m.NS.Do(func() (err error) {
		l, err = plain.Listen(m.w.t.Context(), "tcp", "127.0.0.1:0")
		return err
	})
	if err != nil {
		m.w.t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		m.w.t.Fatal(err)
	}
	_ = l.Close()
	m.w.t.Cleanup(func() { _ = f.Close() })
	return int(f.Fd())
}

// TestHostilePredecessor: whatever is said at the hand-over socket, a proxy starts and serves its pods.
func TestHostilePredecessor(t *testing.T) {
	s := newSuccession(t)
	s.n.proxy.Stop()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	file := int(null.Fd())
	pod := func(uid string, m *member) string {
		return `{"Listener":{"Pod":{"UID":"` + uid + `","Info":{"Name":"x"}},"Namespace":` + m.namespaceOf() + `,"Address":"127.0.0.1:1"}}`
	}
	own := `{"Listened":{"Count":0}}`
	says := "no hand-over: the predecessor did not pass"
	for _, c := range []struct {
		name string
		slow bool
		play func(p peer)
		want string
	}{
		{"garbage", false, func(p peer) { p.say("garbage", file, file, file) }, says},
		{"hangs up", false, func(p peer) {}, says},
		{"too much", false, func(p peer) { p.say(strings.Repeat(" ", 100_000), file) }, says},
		{"wrong count", false, func(p peer) { p.say(`{"Listened":{"Count":7}}`) }, says},
		{"no socket", false, func(p peer) {
			p.say(`{"Listener":{"Namespace":{"Device":1,"Inode":1},"Address":"[::]:15021"}}`, file)
		}, says},
		{"a pod's too soon", false, func(p peer) { p.say(pod("uid-door", s.door), s.door.listening()) }, says},
		{"too many descriptors", false, func(p peer) {
			p.say(own)
			p.hear()
			p.say(pod("uid-door", s.door), file, file, file, file, file, file)
		}, says},
		{"of another pod", false, func(p peer) {
			p.say(own)
			p.hear()
			p.say(pod("uid-door", s.door), s.client.listening())
		}, "another network namespace"},
		{"of nobody", false, func(p peer) {
			p.say(own)
			p.hear()
			p.say(pod("uid-gone", s.plain), s.plain.listening())
			p.say(`{"Listened":{"Count":1}}`)
			p.hearUntil(`"Serving"`)
			p.say(`{"Done":{"Moved":0,"Kept":0}}`)
		}, "uid-gone"},
		{"answers a leg that is none", false, func(p peer) {
			p.say(own)
			p.hear()
			p.say(own)
			p.hearUntil(`"Serving"`)
			p.say(`{"Leg":{"ID":1,"Pod":"uid-door"}}`, file, file)
			p.hear()
		}, "not carried on"},
		{"silent", true, func(p peer) { p.hearUntil("never") }, says},
		{"silent about pods", true, func(p peer) {
			p.say(own)
			p.hearUntil("never")
		}, says},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.slow && os.Getenv(upgradesEnv) == "" {
				t.Skip("it waits for deadlines: task e2e:upgrade does")
			}
			_ = os.Remove(s.socket)
			l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: s.socket, Net: "unixpacket"})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				conn, err := l.AcceptUnix()
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }()
				p := peer{t, conn}
				p.hear() // the hello
				c.play(p)
			}()
			next := s.w.launchIn(s.n, s.homes[0])
			defer next.Stop()
			defer func() { _ = l.Close() }()
			next.WaitReady()
			<-ended
			eventually(t, "it says "+c.want, func() bool { return strings.Contains(next.Output(), c.want) })
			talk(s.outsider, s.door.at(ipv4, serverPort))
			if out := next.Output(); strings.Contains(out, "panic") {
				t.Error("something panicked")
			}
		})
	}
	s.n.proxy = s.w.launchIn(s.n, s.homes[0])
	s.n.proxy.WaitReady()
}

// successor connects to the proxy as its successor would.
func (s *succession) successor(t *testing.T) peer {
	t.Helper()
	s.awaitOwnDoor(s.n.proxy)
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: s.socket, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return peer{t, conn}
}

// TestHostileSuccessor: whatever comes to the hand-over socket, the proxy goes on, and lets go of what it was sent. A
// successor that serves one pod and then does not answer gets none of its connections, and the other pods stay.
func TestHostileSuccessor(t *testing.T) {
	s := newSuccession(t)
	proxy := s.n.proxy
	held := hold(t, 1, append(s.plainWays(), s.tunnelled()...))
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	file := int(null.Fd())
	before := proxy.Descriptors()
	hello := func(version int, shared bool) string {
		return fmt.Sprintf(`{"Hello":{"Version":%d,"Namespace":{"Device":1,"Inode":1},"Shared":%v}}`, version, shared)
	}
	const version = 2
	for name, says := range map[string][]string{
		"garbage":           {"garbage"},
		"another version":   {hello(version+1, true)},
		"another mode":      {hello(version, false)},
		"no hello":          {`{"ListPods":{}}`},
		"pods twice":        {hello(version, true), `{"ListPods":{}}`, `{"ListPods":{}}`},
		"pods before asked": {hello(version, true), `{"Serves":{"UID":"uid-door"}}`},
		"a wrong count":     {hello(version, true), `{"ListPods":{}}`, `{"Serving":{"Count":3}}`},
		"a leg":             {hello(version, true), `{"Done":{}}`},
	} {
		p := s.successor(t)
		for _, text := range says {
			p.say(text, file, file)
		}
		if p.hearUntil("never") {
			t.Errorf("%s: taken", name)
		}
		p = s.successor(t)
		for _, text := range says {
			p.say(text)
		}
		if p.hearUntil("never") {
			t.Errorf("%s: taken", name)
		}
	}
	stuck := s.successor(t) // says hello and nothing more: the next one takes its place
	stuck.say(hello(version, true))
	stuck.hearUntil(`"Listened"`)
	for c := range held {
		goesOn(c)
	}
	eventually(t, "nothing of it is left", func() bool { return proxy.Descriptors() <= before+2 })

	mute := s.successor(t)
	mute.say(hello(version, true))
	if !mute.hearUntil(`"Listened"`) {
		t.Fatal("a successor that is stuck blocks the next")
	}
	mute.say(`{"ListPods":{}}`)
	mute.hearUntil(`"Listened"`)
	mute.say(`{"Serves":{"UID":"uid-door","Namespace":` + s.door.namespaceOf() + `}}`)
	mute.say(`{"Serves":{"UID":"uid-client","Namespace":` + s.door.namespaceOf() + `}}`) // in another namespace: another pod
	mute.say(`{"Serving":{"Count":2}}`)
	if !mute.hearUntil(`"Leg"`) {
		t.Fatal("no connection was offered")
	}
	eventually(t, "the proxy gives up", func() bool { return strings.Contains(proxy.Output(), "handed over: 0 connections moved, 2 refused") })
	if _, _, err := mute.conn.WriteMsgUnix([]byte(`{"Answer":{"ID":1}}`), nil, nil); err == nil {
		t.Error("it could still say that it carries the connection on")
	}
	_ = mute.conn.Close()
	for c := range held {
		goesOn(c)
		c.Close()
	}
	for _, w := range append(s.tunnelled(), way{s.client, s.plain, ipv4}) { // the pod that it did not serve
		talk(w.from, w.to.at(w.f, serverPort))
	}
	if !strings.Contains(proxy.Output(), "does not serve all pods") {
		t.Error("the proxy does not say that a pod stays")
	}
	proxy.Signal(syscall.SIGTERM)
	if code := proxy.Wait(limit); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
