package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/bootstrap/config"
	"github.com/troupe-mesh/troupe/bootstrap/proxy"
)

// roleEnv makes this command serve as Troupe.
const roleEnv = "TROUPE_DNSBENCH_ROLE"

// readyLimit bounds the start of a contender.
const readyLimit = 20 * time.Second

// contender is a server that is measured.
type contender struct {
	name string
	addr netip.AddrPort
	pid  int
}

// start starts the contenders and waits until they answer. The first is what is measured, the second what it is compared with.
func start() (all []contender, stop func(), err error) {
	var running []*exec.Cmd
	stop = func() {
		for _, c := range running {
			_ = c.Process.Signal(syscall.SIGTERM)
			_ = c.Wait()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	self, err := os.Executable()
	if err != nil {
		return nil, stop, err
	}
	troupe := exec.Command(self)
	troupe.Env = append(os.Environ(), roleEnv+"=troupe")
	peer, err := exec.LookPath("dnsmasq")
	if err != nil {
		return nil, stop, fmt.Errorf("%w: install dnsmasq-base", err)
	}
	for _, c := range []*exec.Cmd{troupe, exec.Command(peer, dnsmasqArgs()...)} {
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			return nil, stop, err
		}
		running = append(running, c)
	}
	all = []contender{{"troupe", troupeAddr, running[0].Process.Pid}, {"dnsmasq", dnsmasqAddr, running[1].Process.Pid}}
	for _, c := range all {
		for _, k := range kinds {
			if err := await(c.addr, fmt.Sprintf(k.format, 0)); err != nil {
				return nil, stop, fmt.Errorf("%s does not answer: %w", c.name, err)
			}
		}
	}
	return all, stop, nil
}

// await waits until a server has an answer.
func await(addr netip.AddrPort, name string) error {
	c := dns.Client{Timeout: answerLimit}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(readyLimit); ; <-tick.C {
		m, _, err := c.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), addr.String())
		if err == nil && len(m.Answer) == 1 {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("%s: no answer within %v", name, readyLimit), err)
		}
	}
}

func dnsmasqArgs() []string {
	args := []string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-poll", "--bind-interfaces", "--pid-file=",
		"--listen-address=" + dnsmasqAddr.Addr().String(), fmt.Sprintf("--port=%d", dnsmasqAddr.Port()), "--cache-size=10000", "--user=root",
		fmt.Sprintf("--server=%s#%d", serverAddr.Addr(), serverAddr.Port()), "--except-interface=nothing",
	}
	for i := range names {
		args = append(args, fmt.Sprintf("--host-record=svc-%d.shop.svc.cluster.local,10.0.0.%d", i, i))
	}
	return args
}

// startServer starts the name server behind the contenders.
func startServer() (stop func(), err error) {
	packets, err := net.ListenPacket("udp", serverAddr.String())
	if err != nil {
		return nil, err
	}
	server := &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Answer = []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 3600}, A: net.IPv4(10, 1, 1, 1),
		}}
		_ = w.WriteMsg(m)
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.ActivateAndServe()
	}()
	return func() {
		_ = packets.Close()
		<-ended
	}, nil
}

// serveTroupe is the whole product in a process of its own. Its name server is given, where it would read resolv.conf.
func serveTroupe() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	if err := troupe(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "troupe: %v\n", err)
		os.Exit(1)
	}
}

func troupe(ctx context.Context) error {
	ip := troupeAddr.Addr().String()
	c, err := config.Load([]string{
		"PROXY_MODE=dedicated", "PROXY_WORKLOAD_INFO=shop/client/default", "TROUPE_BIND_IP=" + ip, "LOCAL_XDS=" + state(), "XDS_ADDRESS=",
		"FAKE_CA=true", "ENABLE_ORIG_SRC=false", "ISTIO_META_DNS_CAPTURE=true", "ISTIO_META_DNS_PROXY_ADDR=" + troupeAddr.String(),
	}, []string{"proxy", "ztunnel"}, config.ThisHost())
	if err != nil {
		return err
	}
	c.Resolver.NameServers = []netip.AddrPort{serverAddr}
	p, err := proxy.Start(ctx, c, proxy.Options{Out: errorsOnly{}, OwnProcess: true})
	if err != nil {
		return err
	}
	profile, err := profiled()
	if err != nil {
		return err
	}
	<-ctx.Done()
	profile()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyLimit)
	defer cancel()
	return p.Shutdown(end)
}

// profileEnv names the file that a CPU profile of Troupe goes to.
const profileEnv = "TROUPE_DNSBENCH_PROFILE"

// profiled begins a CPU profile, if one is wanted; what it returns ends it.
func profiled() (end func(), err error) {
	name := os.Getenv(profileEnv)
	if name == "" {
		return func() {}, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}

// errorsOnly is a log that nobody reads.
type errorsOnly struct{}

func (errorsOnly) Write(p []byte) (int, error) { return len(p), nil }

func state() string {
	var b strings.Builder
	b.WriteString("workloads:\n- {uid: client, name: client, namespace: shop, workloadIps: [127.53.0.1], protocol: TCP, services: {}}\nservices:\n")
	for i := range names {
		fmt.Fprintf(&b, "- {name: svc-%d, namespace: shop, hostname: svc-%d.shop.svc.cluster.local, vips: [/10.0.0.%d], ports: {80: 80}}\n", i, i, i)
	}
	return b.String()
}
