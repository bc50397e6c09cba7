package route_test

import (
	"testing"

	"github.com/troupe-mesh/troupe/actors/flow/route"
	"github.com/troupe-mesh/troupe/messages"
)

func TestGuessService(t *testing.T) {
	a := service("ns/a.com", nil, messages.PortMap{80: 8080})
	b := service("ns/b.com", nil, messages.PortMap{80: 8080, 443: 0})
	candidates := []messages.InboundService{{Service: a}, {Service: b, Ports: messages.PortMap{443: 8443, 9: 99}}}
	for _, tc := range []struct {
		name, host string
		port       uint16
		want       *messages.Service
	}{
		{"named by the peer", "b.com", 8080, b},
		{"named by the peer, whatever the port", "a.com", 1, a},
		{"a name that is no candidate", "evil.com", 8443, b},
		{"first with the target port", "", 8080, a},
		{"by the endpoint's own port", "", 8443, b},
		{"a port of the endpoint that the service lacks", "", 99, nil},
		{"none", "", 1, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := route.GuessService(candidates, tc.host, tc.port); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	if route.GuessService(nil, "a.com", 80) != nil {
		t.Error("guessed from nothing")
	}
}
