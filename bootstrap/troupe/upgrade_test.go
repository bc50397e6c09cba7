package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// upgradeSize is how big the upgrades are: TROUPE_UPGRADES=10 makes ten with 200 and 200 clients.
func upgradeSize(t *testing.T) (times, openers, long int, deadline time.Duration) {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("TROUPE_UPGRADES")); err == nil {
		return n, 200, 200, 10 * time.Second
	}
	return 1, 12, 24, 4 * time.Second
}

const (
	upgradeEcho  = 18080
	upgradeLimit = 10 * time.Minute // of a process's life
)

// echoAt answers what it is told, on one address, until the test ends.
func echoAt(t *testing.T, ip netip.Addr) {
	t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(ip, upgradeEcho).String())
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = c.Close() }()
				_, _ = io.Copy(c, c) // its end is the client's business
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
}

// call opens a connection by SOCKS5 through the proxy at ip.
func call(proxy, to netip.Addr) (*net.TCPConn, error) {
	c, err := net.DialTimeout("tcp", netip.AddrPortFrom(proxy, 15080).String(), endLimit)
	if err != nil {
		return nil, fmt.Errorf("dial the proxy: %w", err)
	}
	_ = c.SetDeadline(time.Now().Add(endLimit))
	request := append([]byte{5, 1, 0, 5, 1, 0, 1}, to.AsSlice()...)
	request = binary.BigEndian.AppendUint16(request, upgradeEcho)
	if _, err = c.Write(request); err == nil {
		answer := make([]byte, 12)
		if _, err = io.ReadFull(c, answer); err == nil && answer[3] != 0 {
			err = fmt.Errorf("SOCKS5 refuses with %d", answer[3])
		}
	}
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("the proxy's answer: %w", err)
	}
	_ = c.SetDeadline(time.Time{})
	return c.(*net.TCPConn), nil
}

// ask says something and wants it back.
func ask(c net.Conn, text string) error {
	_ = c.SetDeadline(time.Now().Add(endLimit))
	if _, err := c.Write([]byte(text)); err != nil {
		return err
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != text {
		return fmt.Errorf("said %q, heard %q", text, got)
	}
	return c.SetDeadline(time.Time{})
}

// traffic opens connections and closes them again, as fast as it gets answers.
type traffic struct {
	stop     atomic.Bool
	running  sync.WaitGroup
	opened   atomic.Int64
	failures chan error
}

func startTraffic(openers int, proxy netip.Addr, to ...netip.Addr) *traffic {
	tr := &traffic{failures: make(chan error, openers)}
	for i := range openers {
		tr.running.Go(func() {
			for n := 0; !tr.stop.Load(); n++ {
				c, err := call(proxy, to[(i+n)%len(to)])
				if err == nil {
					err = ask(c, "ping")
					_ = c.Close()
				}
				if err != nil {
					tr.failures <- fmt.Errorf("opener %d, connection %d: %w", i, n, err)
					return
				}
				tr.opened.Add(1)
			}
		})
	}
	return tr
}

func (tr *traffic) end(t *testing.T) {
	t.Helper()
	tr.stop.Store(true)
	tr.running.Wait()
	close(tr.failures)
	for err := range tr.failures {
		t.Error(err)
	}
	if tr.opened.Load() == 0 {
		t.Error("nothing was opened")
	}
}

// bulk sends a lot through one connection while it changes hands, and hears it again unharmed.
func bulk(c *net.TCPConn, size int, begun chan<- struct{}) error {
	_ = c.SetDeadline(time.Now().Add(3 * endLimit))
	stock := bytes.Repeat([]byte("0123456789abcdef-"), 1<<12)
	for i := range stock {
		stock[i] ^= byte(i >> 8)
	}
	sent, wrote := sha256.New(), make(chan error, 1)
	go func() {
		for left := size; left > 0; left -= len(stock) {
			if _, err := c.Write(stock); err != nil {
				wrote <- err
				return
			}
			sent.Write(stock)
		}
		wrote <- c.CloseWrite()
	}()
	heard := sha256.New()
	tick := time.NewTicker(10 * time.Millisecond) // slow enough to be under way for some seconds
	defer tick.Stop()
	n, err := io.CopyN(heard, c, int64(len(stock)))
	close(begun)
	for err == nil {
		var more int64
		more, err = io.CopyN(heard, c, 256<<10)
		n += more
		<-tick.C
	}
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("after %d bytes: %w", n, err)
	}
	if err := <-wrote; err != nil {
		return err
	}
	if !bytes.Equal(sent.Sum(nil), heard.Sum(nil)) {
		return fmt.Errorf("%d bytes came back, and they are others", n)
	}
	return nil
}

// upgrade is a node on which one proxy replaces the other.
type upgrade struct {
	environ       []string
	proxy         netip.Addr
	plain, remote netip.Addr
	socket        string
}

// eventuallyThere waits for a file.
func eventuallyThere(t *testing.T, file string) {
	t.Helper()
	for deadline := time.Now().Add(readyLimit); ; <-time.After(pollEvery) {
		if _, err := os.Stat(file); err == nil {
			return
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func newUpgrade(t *testing.T, deadline time.Duration) *upgrade {
	t.Helper()
	dir := t.TempDir()
	u := &upgrade{proxy: newIP(), plain: newIP(), remote: newIP(), socket: filepath.Join(dir, "handover.sock")}
	echoAt(t, u.plain)
	echoAt(t, u.remote)
	mesh := fmt.Sprintf(`LOCAL_XDS={workloads: [
  {uid: c, name: client, namespace: default, serviceAccount: default, workloadIps: ["%s"], protocol: HBONE, services: {}},
  {uid: s, name: server, namespace: default, serviceAccount: default, workloadIps: ["%s"], protocol: HBONE, services: {}},
  {uid: p, name: plain, namespace: default, workloadIps: ["%s"], services: {}}]}`, u.proxy, u.remote, u.plain)
	shared := []string{mesh, "FAKE_CA_DIR=" + filepath.Join(dir, "ca"), "CONNECTION_TERMINATION_DEADLINE=" + deadline.String()}
	server := launchFor(t, upgradeLimit, environ(u.remote, append(shared, "PROXY_WORKLOAD_INFO=default/server/default")...))
	server.await("marking server ready")
	u.environ = environ(u.proxy, append(shared, "HANDOVER_SOCKET="+u.socket)...)
	return u
}

// While one proxy replaces the other no connection attempt is refused or reset, plain connections live on with all their
// bytes, and those in tunnels end at the old proxy's deadline and not before.
func TestUpgradeUnderLoad(t *testing.T) {
	times, openers, long, deadline := upgradeSize(t)
	u := newUpgrade(t, deadline)
	old := launchFor(t, upgradeLimit, u.environ)
	old.await("marking server ready")
	eventuallyThere(t, u.socket)
	for n := range times {
		old = u.once(t, old, n, openers, long, deadline)
	}
	old.signal(syscall.SIGTERM)
	if code := old.code(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func (u *upgrade) once(t *testing.T, old *process, n, openers, long int, deadline time.Duration) *process {
	t.Helper()
	plain, tunnelled := u.hold(t, long/2, u.plain), u.hold(t, long/2, u.remote)
	conn, err := call(u.proxy, u.plain)
	if err != nil {
		t.Fatal(err)
	}
	begun, bulked := make(chan struct{}), make(chan error, 1)
	go func() { bulked <- bulk(conn, 24<<20, begun) }()
	<-begun
	load := startTraffic(openers, u.proxy, u.plain, u.remote)

	before := len(old.out.String()) // it may have adopted connections itself, and told of their end

	successor := launchFor(t, upgradeLimit, u.environ)
	defer func() {
		if t.Failed() {
			t.Logf("the old proxy said:\n%s", &old.out)
		}
	}()
	successor.await("took over ")
	eventuallyThere(t, u.socket)
	for i, c := range plain {
		if err := ask(c, "still there after the hand-over?"); err != nil {
			t.Errorf("plain connection %d: %v", i, err)
		}
	}
	began := time.Now()
	old.signal(syscall.SIGTERM)
	for i, c := range tunnelled {
		if err := ask(c, "still there while the old one drains?"); err != nil {
			t.Errorf("tunnelled connection %d: %v", i, err)
		}
	}
	if code := old.code(); code != 0 {
		t.Errorf("the old proxy's exit code is %d", code)
	}
	if took := time.Since(began); took < deadline {
		t.Errorf("tunnelled connections ended after %v, before the deadline of %v", took, deadline)
	}
	load.end(t)
	if err := <-bulked; err != nil {
		t.Errorf("the bulk: %v", err)
	}
	_ = conn.Close()
	for i, c := range plain {
		if err := ask(c, "still there without the old one?"); err != nil {
			t.Errorf("plain connection %d: %v", i, err)
		}
		_ = c.Close()
	}
	for _, c := range tunnelled {
		if err := ask(c, "gone"); err == nil {
			t.Error("a tunnelled connection outlived its proxy")
		}
		_ = c.Close()
	}
	u.checkLogs(t, old.out.String()[before:], successor, len(plain), len(tunnelled))
	t.Logf("upgrade %d: %d connections were opened meanwhile", n, load.opened.Load())
	return successor
}

// hold opens connections and uses each once.
func (u *upgrade) hold(t *testing.T, n int, to netip.Addr) []*net.TCPConn {
	t.Helper()
	all := make([]*net.TCPConn, n)
	for i := range all {
		c, err := call(u.proxy, to)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if err := ask(c, "hello"); err != nil {
			t.Fatal(err)
		}
		all[i] = c
	}
	return all
}

// checkLogs wants the report of the old proxy, and one line for each plain connection, with the bytes of both proxies,
// from the new one.
func (u *upgrade) checkLogs(t *testing.T, old string, successor *process, plain, tunnelled int) {
	t.Helper()
	// The longest conversation: hello and the two questions that a plain connection was asked.
	sent := len("hello") + len("still there after the hand-over?") + len("still there without the old one?")
	want := fmt.Sprintf("bytes_sent=%d bytes_recv=%d", sent, sent)
	deadline := time.Now().Add(readyLimit)
	for strings.Count(successor.out.String(), want) < plain && time.Now().Before(deadline) {
		<-time.After(pollEvery)
	}
	if n := strings.Count(successor.out.String(), want); n != plain {
		t.Errorf("%d lines of the successor say %q, want %d", n, want, plain)
	}
	if n := strings.Count(old, want); n != 0 {
		t.Errorf("%d lines of the old proxy say %q", n, want)
	}
	for _, line := range []string{"handed over: ", "after the hand-over "} {
		if !strings.Contains(old, line) {
			t.Errorf("the old proxy does not say %q:\n%s", line, old)
		}
	}
	if !strings.Contains(old, fmt.Sprintf(", %d were cut", tunnelled)) {
		t.Errorf("the old proxy does not say that it cut %d connections", tunnelled)
	}
}
