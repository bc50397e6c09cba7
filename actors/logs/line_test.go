package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// written runs say against a log with the filter and returns what came out.
func written(t *testing.T, format Format, filter string, say func(*Logs)) string {
	t.Helper()
	f, err := ParseFilter(filter)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	l := New(&out, format, f)
	say(l)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestLineForms(t *testing.T) {
	src := netip.MustParseAddrPort("10.0.2.2:43370")
	listener := netip.MustParseAddrPort("[::]:15008")
	tests := []struct {
		name        string
		say         func(*Logs)
		plain, json string
	}{
		{
			"access log on success",
			func(l *Logs) {
				l.Scope("access").Info("connection complete").AddrPort("src.addr", src).Str("src.workload", "cart-1").
					OptStr("src.cluster", "").Display("dst.hbone_addr", "pay.shop:80").Str("direction", "outbound").
					Uint("bytes_sent", 84).Int("bytes_recv", 358).Millis("duration", 15*time.Millisecond+time.Microsecond).
					Err(nil).Send()
			},
			"info\taccess\tconnection complete\tsrc.addr=10.0.2.2:43370 src.workload=\"cart-1\" dst.hbone_addr=pay.shop:80 " +
				"direction=\"outbound\" bytes_sent=84 bytes_recv=358 duration=\"15ms\"\n",
			`"scope":"access","message":"connection complete","src.addr":"10.0.2.2:43370","src.workload":"cart-1",` +
				`"dst.hbone_addr":"pay.shop:80","direction":"outbound","bytes_sent":84,"bytes_recv":358,"duration":"15ms"}` + "\n",
		},
		{
			"listener, target shortened in text only",
			func(l *Logs) {
				l.Scope("ztunnel::proxy::inbound").Info("listener established").AddrPort("address", listener).
					Str("component", "inbound").Bool("transparent", true).Send()
			},
			"info\tproxy::inbound\tlistener established\taddress=[::]:15008 component=\"inbound\" transparent=true\n",
			`"scope":"ztunnel::proxy::inbound","message":"listener established","address":"[::]:15008","component":"inbound",` +
				`"transparent":true}` + "\n",
		},
		{
			"message without fields keeps its tab",
			func(l *Logs) { l.Scope("ztunnel::app").Info("shared proxy mode - in-pod mode enabled").Send() },
			"info\tapp\tshared proxy mode - in-pod mode enabled\t\n",
			`"scope":"ztunnel::app","message":"shared proxy mode - in-pod mode enabled"}` + "\n",
		},
		{
			"fields without message",
			func(l *Logs) { l.Scope("dns").Debug("").Str("query", "A").Int("endpoints", 0).Send() },
			"debug\tdns\tquery=\"A\" endpoints=0\n",
			`"scope":"dns","query":"A","endpoints":0}` + "\n",
		},
		{
			"neither",
			func(l *Logs) { l.Scope("dns").Debug("").Send() },
			"debug\tdns\n",
			`"scope":"dns"}` + "\n",
		},
		{
			"spans",
			func(l *Logs) {
				l.Scope("ztunnel::proxy::outbound").With("proxy", Display("wl", "shop/cart-1")).
					With("outbound", Display("id", "0af7"), Quoted("a", "b")).With("fetch_certificate").
					Debug("connection started").Str("component", "outbound").Send()
			},
			"debug\tproxy::outbound:proxy{wl=shop/cart-1}:outbound{id=0af7 a=\"b\"}:fetch_certificate\tconnection started\t" +
				"component=\"outbound\"\n",
			`"scope":"ztunnel::proxy::outbound","message":"connection started","component":"outbound",` +
				`"proxy":{"wl":"shop/cart-1"},"outbound":{"a":"b","id":"0af7"},"fetch_certificate":{}}` + "\n",
		},
		{
			"spans of another scope",
			func(l *Logs) {
				l.Scope("ztunnel::proxy").With("proxy", Display("wl", "a/b")).In("dns").Warn("x").Err(errors.New("a\nb")).Send()
			},
			"warn\tdns:proxy{wl=a/b}\tx\terror=\"a\\nb\"\n",
			`"scope":"dns","message":"x","error":"a\nb","proxy":{"wl":"a/b"}}` + "\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plain := written(t, Plain, "trace", tt.say)
				if want := "2000-01-01T00:00:00.000000Z\t" + tt.plain; plain != want {
					t.Errorf("plain\n got %q\nwant %q", plain, want)
				}
				object := written(t, JSON, "trace", tt.say)
				level, _, _ := strings.Cut(tt.plain, "\t")
				want := `{"level":"` + level + `","time":"2000-01-01T00:00:00.000000Z",` + tt.json
				if object != want {
					t.Errorf("JSON\n got %q\nwant %q", object, want)
				}
			})
		})
	}
}

func TestSpanHiddenByFilter(t *testing.T) {
	say := func(l *Logs) {
		l.Scope("ztunnel::proxy").With("proxy", Display("wl", "a/b")).In("access").Info("x").Send()
	}
	got := written(t, Plain, "info,ztunnel::proxy=warn", say)
	if strings.Contains(got, "wl=") || !strings.Contains(got, "\taccess\tx\t\n") {
		t.Errorf("span of a filtered scope shows, or the line does not: %q", got)
	}
}

func TestFieldDirective(t *testing.T) {
	say := func(l *Logs) {
		g := l.Scope("ztunnel::xds")
		g.Debug("with").Str("url", "u").Int("id", 1).Send()
		g.Debug("without").Int("id", 2).Send()
		g.Info("plain info").Send()
	}
	got := written(t, Plain, "info,ztunnel[{url}]=debug", say)
	if !strings.Contains(got, "with\turl") || strings.Contains(got, "without") || !strings.Contains(got, "plain info") {
		t.Errorf("got %q", got)
	}
	if got := written(t, JSON, "ztunnel[{url}]=debug", say); strings.Count(got, "\n") != 1 {
		t.Errorf("got %q", got)
	}
}

func TestRefusedLineIsNil(t *testing.T) {
	g := Discard().Scope("access")
	if line := g.Error("x"); line != nil || g.Enabled(Error) {
		t.Error("a log that discards accepted a line")
	}
	var none *Line
	none.Str("a", "b").OptStr("a", "b").Display("a", "b").AddrPort("a", netip.AddrPort{}).Int("a", 1).Uint("a", 1).
		Bool("a", true).Millis("a", 1).Err(errors.New("x")).Send()
}

func TestHostileValuesStayOnOneLine(t *testing.T) {
	evil := "a\n2026-01-01T00:00:00.000000Z\tinfo\taccess\tforged\t\x00\x7f\xff\u2028"
	for _, format := range []Format{Plain, JSON} {
		got := written(t, format, "info", func(l *Logs) {
			l.Scope("access").Info("x").Display("d", evil).Str("s", evil).Send()
		})
		if strings.Count(got, "\n") != 1 {
			t.Errorf("format %d: a value made a second line: %q", format, got)
		}
		if format == JSON && !json.Valid([]byte(got)) {
			t.Errorf("not JSON: %q", got)
		}
	}
}

func TestClockIsWall(t *testing.T) {
	got := written(t, Plain, "info", func(l *Logs) { l.Scope("a").Info("x").Send() })
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\tinfo\ta\tx\t\n$`).MatchString(got) {
		t.Errorf("got %q", got)
	}
}

func accessLine(g *Logger, src netip.AddrPort) {
	g.Info("connection complete").AddrPort("src.addr", src).Str("src.workload", "cart-1").Str("src.namespace", "shop").
		AddrPort("dst.addr", src).Display("dst.hbone_addr", "10.0.0.1:80").Str("direction", "outbound").Uint("bytes_sent", 84).
		Uint("bytes_recv", 358).Millis("duration", 15*time.Millisecond).Send()
}

type sink struct{}

func (sink) Write(b []byte) (int, error) { return len(b), nil }

func TestLineAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget on purpose")
	}
	src := netip.MustParseAddrPort("10.0.2.2:43370")
	for _, format := range []Format{Plain, JSON} {
		f, _ := ParseFilter("info")
		l := New(sink{}, format, f)
		g := l.Scope("access")
		if n := testing.AllocsPerRun(2000, func() { accessLine(g, src) }); n > 0 {
			t.Errorf("format %d: %v allocations a line", format, n)
		}
		if n := testing.AllocsPerRun(1000, func() { g.Debug("x").AddrPort("a", src).Send() }); n > 0 {
			t.Errorf("format %d: %v allocations a refused line", format, n)
		}
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkAccessLine(b *testing.B) {
	src := netip.MustParseAddrPort("10.0.2.2:43370")
	for name, format := range map[string]Format{"plain": Plain, "json": JSON} {
		b.Run(name, func(b *testing.B) {
			f, _ := ParseFilter("info")
			l := New(sink{}, format, f)
			g := l.Scope("access")
			b.ReportAllocs()
			for b.Loop() {
				accessLine(g, src)
			}
			_ = l.Close(b.Context())
		})
	}
}
