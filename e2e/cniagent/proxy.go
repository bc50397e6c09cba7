package cniagent

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	wire "github.com/troupe-mesh/troupe/transport/wire/zds"
)

// proxy is one connected proxy.
type proxy struct {
	agent    *Agent
	conn     *net.UnixConn
	requests chan request
	ended    chan struct{}
}

// packet is what is sent: a message, and descriptors.
type packet struct {
	body  []byte
	file  *os.File
	files []*os.File
}

type request struct {
	packet packet
	answer chan error
}

// errConnection says that the connection ended before the answer.
var errConnection = errors.New("the proxy's connection ended")

func newProxy(a *Agent, conn *net.UnixConn) *proxy {
	return &proxy{agent: a, conn: conn, requests: make(chan request, 100), ended: make(chan struct{})}
}

// ask queues a request and waits for its answer.
func (p *proxy) ask(what packet) error {
	r := request{packet: what, answer: make(chan error, 1)}
	select {
	case p.requests <- r:
	case <-p.ended:
		return errConnection
	}
	select {
	case err := <-r.answer:
		return err
	case <-p.ended:
		return errConnection
	}
}

// serve takes the hello, tells of all pods, and then of what is asked, until the connection ends.
func (p *proxy) serve() error {
	defer close(p.ended)
	defer func() { _ = p.conn.Close() }()
	if err := p.hello(); err != nil {
		return err
	}
	if err := p.snapshot(); err != nil {
		return err
	}
	p.agent.mu.Lock()
	p.agent.hellos++
	p.agent.mu.Unlock()
	gone := time.NewTicker(100 * time.Millisecond)
	defer gone.Stop()
	for {
		select {
		case r := <-p.requests:
			err := p.exchange(r.packet)
			r.answer <- err
			if refused := (*RefusedError)(nil); err != nil && !errors.As(err, &refused) {
				return err
			}
		case <-gone.C: // the real agent looks every 5 s; tests have less time
			if err := p.alive(); err != nil {
				return err
			}
		}
	}
}

func (p *proxy) hello() error {
	body, err := p.read(patience)
	if err != nil {
		return fmt.Errorf("the hello: %w", err)
	}
	var hello wire.ZdsHello
	if err := proto.Unmarshal(body, &hello); err != nil || hello.GetVersion() != wire.Version_V1 {
		p.agent.complain("the proxy said %x as its hello (%v)", body, err)
		return errors.New("no hello")
	}
	return nil
}

func (p *proxy) snapshot() error {
	for _, pod := range p.agent.Known() {
		what := packet{body: add(pod), file: pod.NetNS}
		if pod.NetNS == nil {
			what = packet{body: keep(pod.UID)}
		}
		err := p.exchange(what)
		if refused := (*RefusedError)(nil); errors.As(err, &refused) {
			p.agent.mu.Lock()
			p.agent.nacks = append(p.agent.nacks, refused.Text)
			p.agent.mu.Unlock()
		} else if err != nil {
			return err
		}
	}
	return p.exchange(packet{body: sent()})
}

// exchange sends a request and reads its answer.
func (p *proxy) exchange(what packet) error {
	if err := p.write(what); err != nil {
		return err
	}
	body, err := p.read(patience)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.agent.complain("no answer within %v", patience)
	}
	if err != nil {
		return err
	}
	var answer wire.WorkloadResponse
	if err := proto.Unmarshal(body, &answer); err != nil || answer.GetAck() == nil {
		p.agent.complain("the answer %x is none (%v)", body, err)
		return errors.New("no answer")
	}
	if text := answer.GetAck().GetError(); text != "" {
		return &RefusedError{Text: text}
	}
	return nil
}

func (p *proxy) write(what packet) error {
	files := what.files
	if what.file != nil {
		files = append(files, what.file)
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	_ = p.conn.SetWriteDeadline(time.Now().Add(patience))
	_, _, err := p.conn.WriteMsgUnix(what.body, rights, nil)
	return err
}

func (p *proxy) read(limit time.Duration) ([]byte, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(limit))
	body := make([]byte, maxAnswer)
	n, _, flags, _, err := p.conn.ReadMsgUnix(body, nil)
	if err != nil {
		return nil, err
	}
	if flags&unix.MSG_TRUNC != 0 {
		p.agent.complain("truncated message")
		return nil, errors.New("truncated message")
	}
	return body[:n], nil
}

// alive is the agent's look at an idle connection: nothing but silence is right.
func (p *proxy) alive() error {
	body, err := p.read(10 * time.Millisecond)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err != nil:
		return err
	}
	p.agent.complain("the proxy sent %x unasked", body)
	return errors.New("an answer without a request")
}

func encode(m *wire.WorkloadRequest) []byte {
	body, err := proto.Marshal(m)
	if err != nil {
		panic(err) // a message of plain values
	}
	return body
}

func add(p Pod) []byte {
	return encode(&wire.WorkloadRequest{Payload: &wire.WorkloadRequest_Add{Add: &wire.AddWorkload{
		Uid: p.UID, WorkloadInfo: &wire.WorkloadInfo{Name: p.Name, Namespace: p.Namespace, ServiceAccount: p.ServiceAccount},
	}}})
}

func keep(uid string) []byte {
	return encode(&wire.WorkloadRequest{Payload: &wire.WorkloadRequest_Keep{Keep: &wire.KeepWorkload{Uid: uid}}})
}

func del(uid string) []byte {
	return encode(&wire.WorkloadRequest{Payload: &wire.WorkloadRequest_Del{Del: &wire.DelWorkload{Uid: uid}}})
}

func sent() []byte {
	return encode(&wire.WorkloadRequest{Payload: &wire.WorkloadRequest_SnapshotSent{SnapshotSent: &wire.SnapshotSent{}}})
}
