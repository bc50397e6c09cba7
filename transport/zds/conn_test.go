package zds

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// pair is a proxy's connection and the agent's end of it.
func pair(t *testing.T) (*Conn, *net.UnixConn) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	agent, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Close(), agent.Close() })
	return c, agent
}

// descriptorsOpen counts the process's descriptors.
func descriptorsOpen(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func send(t *testing.T, agent *net.UnixConn, body string, fds ...int) {
	t.Helper()
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	if _, _, err := agent.WriteMsgUnix([]byte(body), rights, nil); err != nil {
		t.Fatal(err)
	}
}

const (
	addA  = "\x0a\x0f\x0a\x01a\x12\x0a\x0a\x01n\x12\x02ns\x1a\x01s"
	addNo = "\x0a\x03\x0a\x01a"
	delA  = "\x12\x03\x12\x01a"
	sent  = "\x1a\x00"
	keepA = "\x2a\x03\x0a\x01a"
)

// TestRead holds the bytes of spec/ops.md §3.1 and the errors of §3.2 against the client, and counts descriptors: whatever
// comes, none is left that nobody has.
func TestRead(t *testing.T) {
	null, err := os.Open("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	fd := int(null.Fd())
	for name, test := range map[string]struct {
		body string
		fds  []int
		want string // %+v of the request, or the error
	}{
		"add":                  {addA, []int{fd}, "add a n/ns/s"},
		"add without info":     {addNo, []int{fd}, "add a"},
		"add without a fd":     {addA, nil, "No control message"},
		"add with two":         {addA, []int{fd, fd}, "Expected 1 FD, got 2"},
		"add with many":        {addA, []int{fd, fd, fd, fd, fd}, "Expected 1 FD, got "},
		"delete":               {delA, nil, "delete a"},
		"delete with a fd":     {delA, []int{fd}, "Unexpected control message"},
		"keep":                 {keepA, nil, "keep a"},
		"keep with a fd":       {keepA, []int{fd}, "Unexpected control message"},
		"snapshot":             {sent, nil, "snapshot"},
		"snapshot with a fd":   {sent, []int{fd}, "Unexpected control message"},
		"unknown request":      {"\x32\x00", nil, "no payload"},
		"unknown with a fd":    {"\x32\x00", []int{fd}, "no payload"},
		"no protobuf":          {"\xff\xff\xff", nil, "decode the request: "},
		"no protobuf, a fd":    {"\xff\xff\xff", []int{fd}, "decode the request: "},
		"too long":             {addA + strings.Repeat("x", 2000), nil, "received truncated message"},
		"too long with a fd":   {addA + strings.Repeat("x", 2000), []int{fd}, "received truncated message"},
		"as long as it may be": {"\x2a\xfc\x07\x0a\xf9\x07" + strings.Repeat("u", 1017), nil, "keep " + strings.Repeat("u", 1017)},
	} {
		t.Run(name, func(t *testing.T) {
			c, agent := pair(t)
			before := descriptorsOpen(t)
			send(t, agent, test.body, test.fds...)
			request, err := c.Read()
			got := describe(request, err)
			if got != test.want && !(strings.HasSuffix(test.want, " ") && strings.HasPrefix(got, test.want)) {
				t.Errorf("read %q, want %q", got, test.want)
			}
			if add, ok := request.(*Add); ok && descriptorsOpen(t) != before+1 {
				t.Errorf("%d descriptors came with %v", descriptorsOpen(t)-before, add.UID)
			}
			Discard(request)
			if left := descriptorsOpen(t) - before; left != 0 {
				t.Errorf("%d descriptors are left", left)
			}
			send(t, agent, sent) // the connection can still be read
			if request, err := c.Read(); describe(request, err) != "snapshot" {
				t.Errorf("then read %q", describe(request, err))
			}
		})
	}
}

func describe(r Request, err error) string {
	if err != nil {
		return err.Error()
	}
	switch r := r.(type) {
	case *Add:
		if r.Info == nil {
			return "add " + r.UID
		}
		return fmt.Sprintf("add %s %s/%s/%s", r.UID, r.Info.Name, r.Info.Namespace, r.Info.ServiceAccount)
	case *Delete:
		return "delete " + r.UID
	case *Keep:
		return "keep " + r.UID
	default:
		return "snapshot"
	}
}

func TestHelloAndAnswers(t *testing.T) {
	c, agent := pair(t)
	for _, step := range []struct {
		do   func() error
		want []byte
	}{
		{c.Hello, []byte("\x08\x01")},
		{func() error { return c.Answer("") }, []byte("\x0a\x00")},
		{func() error { return c.Answer("no") }, []byte("\x0a\x04\x0a\x02no")},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		packet := make([]byte, 100)
		n, err := agent.Read(packet)
		if err != nil || !bytes.Equal(packet[:n], step.want) {
			t.Errorf("the agent read % x, %v, want % x", packet[:n], err, step.want)
		}
	}
}

// TestLongErrorsFit: the agent reads 1024 bytes and takes more for a broken connection.
func TestLongErrorsFit(t *testing.T) {
	c, agent := pair(t)
	for _, text := range []string{strings.Repeat("long ", 1000), strings.Repeat("ü", 1000), "not \xff UTF-8"} {
		if err := c.Answer(text); err != nil {
			t.Fatal(err)
		}
		packet := make([]byte, 4096)
		n, err := agent.Read(packet)
		if err != nil || n > 1000 {
			t.Errorf("an answer of %d bytes, %v", n, err)
		}
		if !utf8.ValidString(Shorten(text)) {
			t.Errorf("%q is not UTF-8", Shorten(text))
		}
	}
}

func TestAgentHangsUp(t *testing.T) {
	c, agent := pair(t)
	_ = agent.Close()
	if _, err := c.Read(); !errors.Is(err, ErrEnded) {
		t.Errorf("read %v, want that it has ended", err)
	}
	if err := c.Answer(""); err == nil {
		t.Error("answered nobody")
	}
}

func TestCloseEndsRead(t *testing.T) {
	c, _ := pair(t)
	done := make(chan error)
	go func() { _, err := c.Read(); done <- err }()
	_ = c.Close()
	if err := <-done; err == nil {
		t.Error("read something")
	}
}

func TestNobodyListens(t *testing.T) {
	if _, err := Dial(t.Context(), filepath.Join(t.TempDir(), "s")); err == nil {
		t.Error("connected")
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{addA, addNo, delA, sent, keepA, "", "\xff"} {
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, truncated bool) {
		request, err := decode(data, nil, truncated)
		if (request == nil) == (err == nil) {
			t.Errorf("decoded %v, %v", request, err)
		}
		if _, add := request.(*Add); add {
			t.Error("an add without a descriptor")
		}
	})
}

func FuzzDescriptors(f *testing.F) {
	f.Add(unix.UnixRights(3))
	f.Add(unix.UnixRights(3, 4))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, control []byte) {
		if n := len(descriptors(control)); n > len(control)/4 {
			t.Errorf("%d descriptors in %d bytes", n, len(control))
		}
	})
}
