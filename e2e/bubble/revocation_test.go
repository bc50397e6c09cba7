package bubble_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
)

const (
	revokedText = `error="connection closed: peer certificate revoked by CRL"`
	reread      = 3 * time.Second // longer than a change takes to be read
)

// heeding starts a client and a server, of which the named one heeds revocation lists.
func heeding(w *bubble.World, who string) (client, server *bubble.Node, lists *bubble.Lists) {
	lists = w.Lists()
	with := func(name string) *bubble.Node {
		if name == who {
			return w.StartWith(name, bubble.Options{Lists: lists})
		}
		return w.Start(name)
	}
	client, server = with("client"), with("server")
	server.Echo("10.0.0.2:8080")
	return client, server, lists
}

func TestRevokedPeersGetNoTunnel(t *testing.T) {
	for _, who := range []string{"client", "server"} {
		t.Run(who+" heeds lists", func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				client, server, lists := heeding(w, who)
				lists.Revoke() // nobody
				w.Pass(reread)
				client.Exchange("10.0.0.2:8080", "hello")
				lists.Revoke(client.Certificate(), server.Certificate())
				w.Pass(reread)
				client.WantRefused("10.0.0.2:8080")
				w.Pass(time.Second)
				if who == "client" {
					client.WantRejections("source", 2) // the idle tunnel in the pool, and the new one
					client.WantRejections("destination", 0)
					client.WantLastAccess("error", `error="io error: invalid peer certificate: Revoked: its certificate`)
					client.WantFlag("CONNECT", 1)
					return
				}
				server.WantRejections("destination", 2)
				server.WantRejections("source", 0)
				server.WantLastAccess("warn", `error="tls handshake error: invalid peer certificate: Revoked: its certificate`)
			})
		})
	}
}

func TestRevocationCutsLiveTunnels(t *testing.T) {
	for _, who := range []string{"client", "server"} {
		t.Run(who+" heeds lists", func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				client, server, lists := heeding(w, who)
				var live []*bubble.Conn
				for range 3 {
					c := client.Dial("10.0.0.2:8080")
					c.Say("x")
					c.Hear("x")
					live = append(live, c)
				}
				lists.Revoke(w.Certificate(bubble.Identity("somebody")))
				w.Pass(reread)
				for _, c := range live {
					c.Say("y")
					c.Hear("y")
				}
				heeds := map[string]*bubble.Node{"client": client, "server": server}[who]
				reporter := map[string]string{"client": "source", "server": "destination"}[who]
				heeds.WantRejections(reporter, 0)
				lists.Revoke(client.Certificate(), server.Certificate())
				w.Pass(reread)
				for _, c := range live {
					c.HearEnd() // though nobody has closed the other side
				}
				heeds.WantRejections(reporter, 1) // once for the tunnel
				heeds.WantFlag("CERT_REVOKED", 3) // and each of its streams says so
				heeds.WantLastAccess(revokedText)
				for _, c := range live {
					_ = c.Close()
				}
				w.Pass(time.Second)
				w.WantWholeTraces()
			})
		})
	}
}

// Plaintext connections have no certificate that could be revoked.
func TestRevocationLeavesPlaintext(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client, server, lists := heeding(w, "server")
		c := w.DialFrom("legacy", "10.0.0.2:8080")
		c.Say("x")
		c.Hear("x")
		lists.Revoke(client.Certificate(), server.Certificate())
		w.Pass(reread)
		c.Say("y")
		c.Hear("y")
		c.Finish()
	})
}

// A revocation while the application is dialled resets the stream without a status (DP117).
func TestRevocationDuringTheDial(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		lists := w.Lists()
		server := w.StartWith("server", bubble.Options{Pod: noDials, Lists: lists})
		peer := w.MustTunnel(w.Host("client"), bubble.Identity("client"), server)
		done := make(chan error)
		go func() {
			_, answer, err := peer.Open(t.Context(), "10.0.0.2:9090", nil)
			if answer != nil {
				err = errors.New("it was answered")
			}
			done <- err
		}()
		w.Pass(time.Second)
		lists.Revoke(peer.Certificate)
		w.Pass(reread)
		if err := <-done; err == nil || err.Error() == "it was answered" {
			t.Errorf("the CONNECT ended with %v, want the loss of its tunnel", err)
		}
		server.WantLastAccess(revokedText)
		server.WantFlag("CERT_REVOKED", 1)
		server.WantRejections("destination", 1)
	})
}

// The far end of a double HBONE is judged by the flow, the gateway by the pool; both cut the connection.
func TestRevocationOnDoubleHBONE(t *testing.T) {
	for _, whose := range []string{"remote", "gateway"} {
		t.Run(whose, func(t *testing.T) {
			run(t, federation(), func(t *testing.T, w *bubble.World) {
				lists := w.Lists()
				client := w.StartWith("client", bubble.Options{Lists: lists})
				var last *hbone.ServerStream
				remote(w, bubble.Identity("remote"), &last)
				gateway(w, "10.7.0.1:15008")
				c := client.Dial("10.9.0.5:80")
				c.Say("x")
				c.Hear("x")
				lists.Revoke(w.Issued(whose))
				w.Pass(reread)
				c.HearEnd()
				client.WantLastAccess(revokedText)
				client.WantFlag("CERT_REVOKED", 1)
				client.WantRejections("source", 1)
				_ = c.Close()
				client.WantRefused("10.9.0.5:80")
				client.WantRejections("source", 2)
			})
		})
	}
}

// What is broken or gone leaves the lists as they are; an empty file clears them.
func TestRevocationFileComesAndGoes(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client, server, lists := heeding(w, "server")
		client.Exchange("10.0.0.2:8080", "the file is missing")
		lists.Revoke(client.Certificate())
		client.WantRejections("source", 0)
		w.Pass(reread)
		client.WantRefused("10.0.0.2:8080")
		lists.Write([]byte("-----BEGIN X509 CRL-----\nhalf of it"))
		w.Pass(reread)
		client.WantRefused("10.0.0.2:8080")
		lists.Remove()
		w.Pass(reread)
		client.WantRefused("10.0.0.2:8080")
		lists.Write(nil)
		w.Pass(reread)
		client.Exchange("10.0.0.2:8080", "nobody is revoked")
		var said []string
		for _, line := range server.Log() {
			if strings.Contains(line, "revocation lists") || strings.Contains(line, "CRL_PATH") {
				said = append(said, line)
			}
		}
		if len(said) < 4 {
			t.Errorf("the log tells of %q only", said)
		}
	})
}

// A file that appears counts at the next handshake, before anybody was told of it.
func TestRevocationFileAppearsBeforeItIsTold(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client, server, lists := heeding(w, "server")
		lists.Revoke(client.Certificate())
		client.WantRefused("10.0.0.2:8080") // within the two seconds
		server.WantRejections("destination", 1)
	})
}

// A tunnel that was cut or crashed is not looked after, and one whose subscription got lost is.
func TestRevocationThroughFaults(t *testing.T) {
	broken := errors.New("broken")
	for name, hurt := range map[string]func(f *fault.Faults){
		"watch lost":         func(f *fault.Faults) { fault.On[messages.WatchRevocations](f, "revocations").Once().Panic(broken) },
		"two watches lost":   func(f *fault.Faults) { fault.On[messages.WatchRevocations](f, "revocations").Next(2).Panic(broken) },
		"session crashes":    func(f *fault.Faults) { fault.On[messages.RevocationsChanged](f, "*/session/*").Once().Panic(broken) },
		"notice lost":        func(f *fault.Faults) { fault.On[messages.RevocationsChanged](f, "*/session/*").Once().Drop() },
		"nothing goes wrong": func(*fault.Faults) {},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				f := fault.New()
				hurt(f)
				lists := w.Lists()
				client, server := w.Start("client"), w.StartWith("server", bubble.Options{Lists: lists, Faults: f})
				server.Echo("10.0.0.2:8080")
				c := client.Dial("10.0.0.2:8080")
				c.Say("x")
				c.Hear("x")
				w.Pass(10 * time.Second)
				lists.Revoke(client.Certificate())
				w.Pass(15 * time.Second)
				c.HearEnd()
				_ = c.Close()
				client.WantRefused("10.0.0.2:8080")
				server.WantUntracked("destination", 0)
			})
		})
	}
}

// The pool's child that crashes leaves its tunnels to their streams: they are counted as not tracked.
func TestRevocationAfterAPoolCrash(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		f := fault.New()
		fault.On[messages.ReleaseTunnel](f, "*/peer/*").Once().Panic(errors.New("broken"))
		lists := w.Lists()
		client, server := w.StartWith("client", bubble.Options{Lists: lists, Faults: f}), w.Start("server")
		server.Echo("10.0.0.2:8080")
		c := client.Dial("10.0.0.2:8080")
		c.Say("x")
		c.Hear("x")
		client.Exchange("10.0.0.2:8080", "its end crashes the child")
		w.Pass(time.Second)
		client.WantUntracked("source", 1)
		c.Finish()
	})
}
