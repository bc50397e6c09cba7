package dedicated

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// TestProxyShutdown: what is open when the proxy is told to stop works on until it ends; nothing new is taken.
func TestProxyShutdown(t *testing.T) {
	for name, stopped := range map[string]func(client, server *member) *product.Proxy{
		"client's": func(client, _ *member) *product.Proxy { return client.proxy },
		"server's": func(_, server *member) *product.Proxy { return server.proxy },
	} {
		t.Run(name, func(t *testing.T) {
			longDrain := withEnv("CONNECTION_TERMINATION_DEADLINE", "60s")
			w := newWorld(t)
			client, server := w.pod("client", localNode, longDrain), w.pod("server", remoteNode, longDrain)
			w.start()
			server.app.Listen(":8080", agent.Double)
			target := server.at(server.IPv4, serverPort)
			c := client.app.Dial(target)
			c.Write(hello)
			c.Expect(helloTwice)

			proxy := stopped(client, server)
			proxy.Signal(syscall.SIGTERM)
			proxy.WaitUnready()
			c.Write(hello)
			c.Expect(helloTwice)
			if proxy.Ended() {
				t.Fatal("the proxy ended with a connection open")
			}
			if refused, err := client.app.TryDial(agent.Via{Target: target.String()}); err == nil {
				if got, end := refused.ReadAll(); got != "" || end != agent.EndReset && end != agent.EndEOF {
					t.Errorf("a new connection read %q and the end %q, want to be refused", got, end)
				}
			}
			c.CloseWrite()
			c.ExpectEnd(agent.EndEOF)
			c.Close()
			if code := proxy.Wait(10 * time.Second); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
		})
	}
}

// TestForcedShutdown: the deadline ends what doesn't end itself.
func TestForcedShutdown(t *testing.T) {
	w := newWorld(t)
	client := w.pod("client", localNode, withEnv("CONNECTION_TERMINATION_DEADLINE", "1s"))
	server := w.pod("server", remoteNode)
	w.start()
	server.app.Listen(":8080", agent.Double)
	c := client.app.Dial(server.at(server.IPv4, serverPort))
	c.Write(hello)
	c.Expect(helloTwice)
	client.proxy.Signal(syscall.SIGTERM)
	if code := client.proxy.Wait(10 * time.Second); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if got, end := c.ReadAll(); got != "" || end != agent.EndReset && end != agent.EndEOF {
		t.Errorf("the client read %q and the end %q, want to be cut off", got, end)
	}
	if end := server.app.EndedRecords(":8080", 1)[0].End; end != agent.EndReset && end != agent.EndEOF {
		t.Errorf("the server saw the end %q", end)
	}
}

// TestShutdownLifecycle: each way to ask for the end ends a proxy with code 0.
func TestShutdownLifecycle(t *testing.T) {
	for name, stop := range map[string]func(*product.Proxy){
		"SIGTERM":      func(p *product.Proxy) { p.Signal(syscall.SIGTERM) },
		"SIGINT":       func(p *product.Proxy) { p.Signal(syscall.SIGINT) },
		"quitquitquit": func(p *product.Proxy) { p.Admin(http.MethodPost, "/quitquitquit") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			only := w.pod("only", localNode)
			w.start()
			stop(only.proxy)
			if code := only.proxy.Wait(5 * time.Second); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
		})
	}
}
