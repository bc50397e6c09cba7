package proxy

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-mesh/troupe/bootstrap/config"
	"github.com/troupe-mesh/troupe/transport/socket"
)

func TestBusyPorts(t *testing.T) {
	for component, port := range map[string]uint16{
		"inbound": 15008, "inbound plaintext": 15006, "outbound": 15001, "socks5": 15080,
		"admin": 15000, "stats": 15020, "readiness": 15021,
	} {
		t.Run(component, func(t *testing.T) {
			w := newWorld(t)
			addr := netip.AddrPortFrom(w.source, port).String()
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			before := goleak.IgnoreCurrent()
			_, err = Start(t.Context(), w.config("source", w.source), Options{Out: &output{}})
			if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), component) || !strings.Contains(err.Error(), addr) {
				t.Errorf("got %v, want %s, %s and that it is in use", err, component, addr)
			}
			goleak.VerifyNone(t, before)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			w.start("source", w.source) // all other ports must be free again
		})
	}
}

func TestNothingIsLeftOfAFailedStart(t *testing.T) {
	w := newWorld(t)
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("workloads: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const all = -1
	tests := []struct {
		name    string
		environ []string
		otel    []string
		allowed int
		want    string
	}{
		{"tracing", nil, []string{"OTEL_TRACES_EXPORTER=pigeon"}, all, "OTEL_TRACES_EXPORTER"},
		{"local state", []string{"LOCAL_XDS=workloads: 1"}, nil, all, "LOCAL_XDS"},
		{"authority", []string{"FAKE_CA_DIR=" + bad}, nil, all, "FAKE_CA_DIR"},
		{"first listener", nil, nil, 0, "readiness"},
		{"second listener", nil, nil, 1, "admin"},
		{"third listener", nil, nil, 2, "stats"},
		{"fourth listener", nil, nil, 3, "inbound"},
		{"fifth listener", nil, nil, 4, "inbound plaintext"},
		{"sixth listener", nil, nil, 5, "outbound"},
		{"seventh listener", nil, nil, 6, "socks5"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			network := newLedger(socket.New(socket.Config{Local: w.source}), test.allowed)
			_, err := Start(t.Context(), w.config("source", w.source, test.environ...), Options{
				Out: &output{}, Environ: test.otel, Network: network,
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want it to name %s", err, test.want)
			}
			if n := network.stillOpen(); n != 0 {
				t.Errorf("%d listeners are still open", n)
			}
			goleak.VerifyNone(t, before)
		})
	}
	// Eight is one more than there are: the same start succeeds, and its end closes everything as well.
	network := newLedger(socket.New(socket.Config{Local: w.source}), 7)
	p := w.startWith(Options{Network: network}, "source", w.source)
	if n := network.stillOpen(); n != 7 {
		t.Errorf("%d listeners are open, want 7", n)
	}
	if err := <-p.end(); err != nil {
		t.Error(err)
	}
	if n := network.stillOpen(); n != 0 {
		t.Errorf("%d listeners are open after the end", n)
	}
}

func TestLocalStateFromAFile(t *testing.T) {
	w := newWorld(t)
	missing := filepath.Join(t.TempDir(), "none.yaml")
	environ := func(path string) *config.Config {
		c := w.config("source", w.source)
		c.LocalXDS, c.LocalXDSPath = "", path
		return c
	}
	if _, err := Start(t.Context(), environ(missing), Options{Out: &output{}}); err == nil ||
		!strings.Contains(err.Error(), "LOCAL_XDS_PATH") || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v", err)
	}
}

func TestUnsupportedSettings(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		environ []string
		want    []string // what must be named, and what is to be done about it
	}{
		{[]string{"LOCAL_FASTPATH=true"}, []string{"LOCAL_FASTPATH=true", "leave LOCAL_FASTPATH unset"}},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.environ, " "), func(t *testing.T) {
			network := newLedger(socket.New(socket.Config{}), -1)
			_, err := Start(t.Context(), w.config("source", w.source, test.environ...), Options{Out: &output{}, Network: network})
			if err == nil {
				t.Fatal("it started")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q:\n%v", want, err)
				}
			}
			if network.asked != 0 {
				t.Error("it bound a port before it refused")
			}
		})
	}
}
