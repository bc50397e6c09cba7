package hbone

import (
	"bytes"
	"io"
	"testing"
)

func TestEchoOverEveryTransport(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			a, b := transport.make(t)
			tn := start(t, a, b, Settings{}, Settings{}, echo)
			s, r, err := tn.client.Open(t.Context(), "10.0.0.2:80", []Header{{"baggage", "k8s.namespace.name=a"}})
			if err != nil || r.Status != 200 {
				t.Fatal(r, err)
			}
			sent := payload(3 << 20)
			go func() {
				if n, err := s.Write(sent); n != len(sent) || err != nil {
					t.Errorf("wrote %d: %v", n, err)
				}
				if err := s.CloseWrite(); err != nil {
					t.Errorf("half-close: %v", err)
				}
			}()
			got, err := io.ReadAll(s)
			if err != nil || !bytes.Equal(got, sent) {
				t.Fatalf("%d of %d bytes came back, equal: %v; %v", len(got), len(sent), bytes.Equal(got, sent), err)
			}
			_ = s.Close()
		})
	}
}
