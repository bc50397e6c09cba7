package entry_test

import (
	"net"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-mesh/troupe/e2e/bench/entry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAcceptHearsWhatDialSays(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	heard := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			heard <- err.Error()
			return
		}
		defer func() { _ = conn.Close() }()
		target, err := entry.Accept(conn)
		if err != nil {
			target = err.Error()
		}
		heard <- target
	}()
	conn, err := entry.Dial(listener.Addr().String(), netip.MustParseAddrPort("127.1.2.3:45678"))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if got := <-heard; got != "127.1.2.3:45678" {
		t.Errorf("heard %q", got)
	}
}

func TestAcceptRefusesOtherRequests(t *testing.T) {
	for name, said := range map[string][]byte{
		"version 4":      {4, 1, 0},
		"authentication": {5, 1, 2},
		"bind":           {5, 1, 0, 5, 2, 0, 1, 1, 1, 1, 1, 0, 1},
		"a name":         {5, 1, 0, 5, 1, 0, 3, 1, 'a', 0, 1, 0, 0},
		"half":           {5, 1, 0, 5, 1},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := net.Pipe()
			go func() {
				_, _ = client.Write(said[:3])
				if len(said) > 3 {
					_, _ = client.Read(make([]byte, 2))
					_, _ = client.Write(said[3:])
				}
				_ = client.Close()
			}()
			if target, err := entry.Accept(server); err == nil {
				t.Errorf("accepted for %s", target)
			}
			_ = server.Close()
		})
	}
}
