package load_test

import (
	"net"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-mesh/troupe/e2e/bench/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func app(t *testing.T) load.Way {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = load.Serve(listener) }()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return load.Way{App: netip.MustParseAddrPort(listener.Addr().String())}
}

func TestScenariosWithoutAProxy(t *testing.T) {
	way := app(t)
	for scenario, units := range map[string]float64{
		"tput1": 1.0 / 1024, "tput8": 1.0 / 1024, "echo": 2.0 / 1024, "rr1x1": 100, "rr64x1k": 100, "cps16": 100,
	} {
		outcome, err := load.Do(load.Run{Way: way, Scenario: scenario, Bytes: 1 << 20, Ops: 100})
		if err != nil || outcome.Units != units || outcome.Seconds <= 0 {
			t.Errorf("%s: %+v, %v, want %v units", scenario, outcome, err, units)
		}
	}
	if _, err := load.Do(load.Run{Way: way, Scenario: "none"}); err == nil {
		t.Error("an unknown scenario: no error")
	}
}

func TestIdleKeepsWhatItOpens(t *testing.T) {
	open, err := load.Idle(app(t), 50)
	if err != nil || len(open) != 50 {
		t.Fatalf("%d open, %v, want 50", len(open), err)
	}
	for _, conn := range open {
		if _, err := conn.Write([]byte{1}); err != nil {
			t.Errorf("an open connection: %v", err)
		}
		_ = conn.Close()
	}
}

func TestDeadApplicationIsAnError(t *testing.T) {
	dead := load.Way{App: netip.MustParseAddrPort("127.0.0.1:1")}
	if _, err := load.Do(load.Run{Way: dead, Scenario: "tput8", Bytes: 8, Ops: 8}); err == nil {
		t.Error("no error")
	}
	if _, err := load.Idle(dead, 3); err == nil {
		t.Error("idle: no error")
	}
}
