package dns

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	wire "github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/messages"
)

// exchange sends a packet and reads the one that comes back, byte for byte.
func (w *world) exchange(proto string, packet []byte) []byte {
	w.t.Helper()
	c := w.dial(proto)
	if proto == "tcp" {
		packet = append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
	}
	if _, err := c.Write(packet); err != nil {
		w.t.Fatal(err)
	}
	if proto == "tcp" {
		var size uint16
		if err := binary.Read(c, binary.BigEndian, &size); err != nil {
			w.t.Fatal(err)
		}
		answer := make([]byte, size)
		if _, err := io.ReadFull(c, answer); err != nil {
			w.t.Fatal(err)
		}
		return answer
	}
	answer := make([]byte, 65536)
	n, err := c.Read(answer)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer[:n]
}

// TestTheQuestionIsEchoed holds the question of the answer against the one that was asked, byte for byte: clients that mix
// cases to make forged answers fail (0x20) refuse any other. The names that the mesh answers with are in lower case.
func TestTheQuestionIsEchoed(t *testing.T) {
	up := serveNames(t, zone(t, soa, "a.com. 60 A 10.0.0.1"))
	w := newWorld(t, servers(patience, up.addr))
	w.know([]*messages.Workload{client()}, []*messages.Service{kube("ns1", "cart", "10.0.0.9")})
	for _, name := range []string{"CaRt.nS1.", "cart.NS1.SVC.cluster.LOCAL.", "cArT.ns1.ns1.svc.cluster.local.", "A.cOm.", "NoBody.Com.", `B\195\156cher.Example.`, "."} {
		for _, kind := range []uint16{wire.TypeA, wire.TypeAAAA, wire.TypeTXT} {
			packet, err := new(wire.Msg).SetQuestion(name, kind).Pack()
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // asked for, and known by then
				for _, proto := range []string{"udp", "tcp"} {
					answer := w.exchange(proto, packet)
					if len(answer) < len(packet) || !bytes.Equal(answer[12:len(packet)], packet[12:]) || !bytes.Equal(answer[:2], packet[:2]) {
						t.Errorf("%s %s: asked %x, answered %x", proto, name, packet, answer)
					}
					m := new(wire.Msg)
					if err := m.Unpack(answer); err != nil {
						t.Fatalf("%s %s: %v", proto, name, err)
					}
					for _, rr := range m.Answer {
						if owner := rr.Header().Name; m.Authoritative && owner != strings.ToLower(owner) {
							t.Errorf("%s %s: owner %s", proto, name, owner)
						}
					}
				}
			}
		}
	}
}
