package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/transport/dnswire"
)

// found is what the servers say of one name.
type found struct {
	addrs []netip.Addr
	ttl   time.Duration
}

// lookUp asks for both families at once; one that answers is enough.
func (r *Resolver) lookUp(ctx context.Context, name string) (found, error) {
	type outcome struct {
		found
		err error
	}
	kinds := []uint16{dns.TypeA}
	if r.config.IPv6 {
		kinds = append(kinds, dns.TypeAAAA)
	}
	outcomes := make([]outcome, len(kinds))
	done := make(chan struct{}, len(kinds))
	for i, kind := range kinds {
		go func() {
			outcomes[i].found, outcomes[i].err = r.ask(ctx, name, kind)
			done <- struct{}{}
		}()
	}
	for range kinds {
		<-done
	}
	var all found
	var failed error
	answered := false
	for _, o := range outcomes {
		if o.err != nil {
			failed = errors.Join(failed, o.err)
			continue
		}
		if len(o.addrs) > 0 && (len(all.addrs) == 0 || o.ttl < all.ttl) || !answered {
			all.ttl = o.ttl
		}
		answered = true
		all.addrs = append(all.addrs, o.addrs...)
	}
	if !answered || len(all.addrs) == 0 && failed != nil {
		return found{}, failed
	}
	return all, nil
}

// ask asks the servers for one kind of record.
func (r *Resolver) ask(ctx context.Context, name string, kind uint16) (found, error) {
	key, ok := dnswire.QuestionKey(name, kind)
	if !ok {
		return found{}, fmt.Errorf("%q is no domain name", name)
	}
	answer, _, err := r.upstream.Ask(ctx, key)
	if err != nil {
		return found{}, err
	}
	return read(answer, kind), nil
}

// read takes the addresses out of an answer; without any the TTL is that of the absence.
func read(answer *dns.Msg, kind uint16) found {
	var f found
	ttl := func(seconds uint32) {
		if d := time.Duration(seconds) * time.Second; len(f.addrs) <= 1 || d < f.ttl {
			f.ttl = d
		}
	}
	for _, record := range answer.Answer {
		switch a := record.(type) {
		case *dns.A:
			if addr, ok := netip.AddrFromSlice(a.A.To4()); ok && kind == dns.TypeA {
				f.addrs = append(f.addrs, addr)
				ttl(a.Hdr.Ttl)
			}
		case *dns.AAAA:
			if addr, ok := netip.AddrFromSlice(a.AAAA.To16()); ok && kind == dns.TypeAAAA {
				f.addrs = append(f.addrs, addr)
				ttl(a.Hdr.Ttl)
			}
		}
	}
	if len(f.addrs) > 0 {
		return f
	}
	for _, record := range answer.Ns {
		if soa, ok := record.(*dns.SOA); ok {
			f.ttl = time.Duration(min(soa.Minttl, soa.Hdr.Ttl)) * time.Second
		}
	}
	return f
}
