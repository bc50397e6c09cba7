package handover

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// raw sends a packet with descriptors as no process of ours would.
func raw(t *testing.T, c *Conn, packet []byte, fds ...int) {
	t.Helper()
	if _, _, err := c.unix.WriteMsgUnix(packet, unix.UnixRights(fds...), nil); err != nil {
		t.Fatal(err)
	}
}

// Descriptors that come with nonsense, too many of them, or of another kind are all closed.
func TestForeignDescriptorsAreClosed(t *testing.T) {
	old, successor, _ := meet(t)
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	a, b := tcpPair(t)
	null := int(file.Fd())
	tcpA, err := socket.Duplicate(a)
	if err != nil {
		t.Fatal(err)
	}
	tcpB, err := socket.Duplicate(b)
	if err != nil {
		t.Fatal(err)
	}
	defer CloseAll([]int{tcpA, tcpB})
	leg, err := encode(&Message{Leg: &Leg{Leg: plainLeg()}})
	if err != nil {
		t.Fatal(err)
	}
	heldLeg, err := encode(&Message{Leg: &Leg{Leg: plainLeg(), ToDownstream: 5}})
	if err != nil {
		t.Fatal(err)
	}
	listener := []byte(`{"Listener":{"Namespace":{"Device":1,"Inode":1},"Address":"[::]:1"}}`)
	before := descriptors(t)
	for name, send := range map[string]func(){
		"nonsense":           func() { raw(t, old, []byte("nonsense"), null, null) },
		"too many":           func() { raw(t, old, listener, null, null, null, null, null, null, null, null) },
		"one too many":       func() { raw(t, old, listener, null, null) },
		"none":               func() { raw(t, old, listener[:len(listener):len(listener)]) },
		"with a hello":       func() { raw(t, old, []byte(`{"Hello":{"Version":1}}`), null) },
		"a packet too large": func() { raw(t, old, bytes.Repeat([]byte(" "), maxPacket+100), null) },
		"files for sockets":  func() { raw(t, old, leg, null, null) },
		"one socket":         func() { raw(t, old, leg, tcpA, null) },
		"held in /dev/null":  func() { raw(t, old, heldLeg, tcpA, tcpB, null) },
	} {
		send()
		m, fds, err := successor.Receive(soon)
		if err == nil {
			if m.Leg == nil {
				t.Errorf("%s: taken", name)
				CloseAll(fds)
			} else if _, err := Take(m.Leg, fds); err == nil {
				t.Errorf("%s: taken", name)
			}
		}
		if now := descriptors(t); now != before {
			t.Errorf("%s: %d descriptors before, %d after", name, before, now)
		}
	}
}

func TestAdoptRefusesOtherSockets(t *testing.T) {
	a, _ := tcpPair(t)
	fd, err := socket.Duplicate(a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := socket.AdoptListener(fd); err == nil {
		t.Error("a connection is taken for a listener")
	}
	l, err := socket.New(socket.Config{}).Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), socket.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if fd, err = socket.Duplicate(l); err != nil {
		t.Fatal(err)
	}
	if _, err := socket.AdoptConn(fd); err == nil {
		t.Error("a listener is taken for a connection")
	}
	for kind, make := range map[string]func() (any, error){
		"a connected UDP socket": func() (any, error) { return net.Dial("udp", "127.0.0.1:9") },
		"a TCP listener":         func() (any, error) { return net.Listen("tcp", "127.0.0.1:0") },
		"a UNIX socket":          func() (any, error) { return net.ListenPacket("unixgram", "") },
	} {
		s, err := make()
		if err != nil {
			t.Fatal(err)
		}
		file, err := s.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Dup(int(file.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = file.Close(), s.(io.Closer).Close()
		if _, err := socket.AdoptPacketListener(fd); err == nil {
			t.Errorf("%s is taken for a socket that takes datagrams", kind)
		}
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range pair {
		if _, err := socket.AdoptConn(fd); err == nil {
			t.Error("an AF_UNIX socket is taken for a connection")
		}
	}
}

// asUser runs do on a thread that is another user for the kernel.
func asUser(t *testing.T, uid int, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine, and nobody else is that user
		_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
		if errno != 0 {
			done <- errno
			return
		}
		do()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Skip("the kernel does not let us be another user: ", err)
	}
}

// Another user is turned away by the file's mode, and by who it is where the mode lets it through.
func TestOtherUsersAreTurnedAway(t *testing.T) {
	dir, err := os.MkdirTemp("", "handover") //nolint:usetesting // below a directory that others may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	door, err := Listen(filepath.Join(dir, "h"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = door.Close() }()
	const nobody = 65534
	var fd int
	var refused, let error
	connect := func() error {
		var err error
		if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Connect(fd, &unix.SockaddrUnix{Name: filepath.Join(dir, "h")})
	}
	asUser(t, nobody, func() {
		refused = connect()
		_ = unix.Close(fd)
	})
	if !errors.Is(refused, unix.EACCES) {
		t.Errorf("another user came in: %v", refused)
	}
	if err := os.Chmod(filepath.Join(dir, "h"), 0o666); err != nil {
		t.Fatal(err)
	}
	asUser(t, nobody, func() { let = connect() })
	defer func() { _ = unix.Close(fd) }()
	if let != nil {
		t.Fatal(let)
	}
	if _, err := door.Accept(); !errors.Is(err, errForeigner) {
		t.Errorf("another user was talked to: %v", err)
	}
}
