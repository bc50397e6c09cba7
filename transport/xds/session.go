package xds

import (
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/troupe-mesh/troupe/transport/wire/discovery"
)

// maxEcho bounds what is echoed of held names, in bytes: istiod takes requests of 4 MiB (ISTIO_GPRC_MAXRECVMSGSIZE).
const maxEcho = 3 << 20

// maxNack bounds the text of a NACK, in bytes.
const maxNack = 32 << 10

// Session is the client's side of one stream. It is for one goroutine at a time.
type Session struct {
	node   *discovery.Node
	ledger *Ledger
	// onDemand says that addresses are asked for by name.
	onDemand bool
	// whole are the kinds whose first response has everything there is: nothing was echoed though something is held.
	whole [Kinds]bool
}

// NewSession begins a stream.
func NewSession(node *discovery.Node, ledger *Ledger, onDemand bool) *Session {
	return &Session{node: node, ledger: ledger, onDemand: onDemand}
}

const everything = "*"

// Initial are the first requests, one for each kind.
func (s *Session) Initial() []*discovery.DeltaDiscoveryRequest {
	all := make([]*discovery.DeltaDiscoveryRequest, 0, Kinds)
	for k := range unknownKind {
		r := &discovery.DeltaDiscoveryRequest{Node: s.node, TypeUrl: k.TypeURL()}
		if s.onDemand && k == Addresses {
			r.ResourceNamesSubscribe = []string{everything}
			r.ResourceNamesUnsubscribe = []string{everything}
		}
		if s.ledger.size[k] <= maxEcho {
			r.InitialResourceVersions = maps.Clone(s.ledger.held[k])
		} else {
			s.whole[k] = true
		}
		all = append(all, r)
	}
	return all
}

// Complete adds to a batch what it says by leaving it out: after a request that echoed nothing, the first response has
// everything, and what is held and not in it has gone. It is called once for each batch, before the batch is done.
func (s *Session) Complete(b *Batch) {
	if b.Kind >= unknownKind || !s.whole[b.Kind] {
		return
	}
	s.whole[b.Kind] = false
	there := make(map[string]struct{}, len(b.Items)+len(b.Rejected))
	for i := range b.Items {
		there[b.Items[i].Name] = struct{}{}
	}
	for i := range b.Rejected {
		there[b.Rejected[i].Name] = struct{}{}
	}
	for name := range s.ledger.held[b.Kind] {
		if _, ok := there[name]; !ok {
			b.Removed = append(b.Removed, name)
		}
	}
}

// Acknowledge is the answer to a batch that has been done: an ACK, or a NACK that names every rejected resource and says
// why (spec/control.md §2.6).
func (s *Session) Acknowledge(b *Batch) *discovery.DeltaDiscoveryRequest {
	r := &discovery.DeltaDiscoveryRequest{TypeUrl: b.TypeURL, ResponseNonce: b.Nonce}
	if len(b.Rejected) > 0 {
		r.ErrorDetail = &discovery.ErrorDetail{Message: Complaint(b.Rejected)}
	}
	return r
}

// Complaint is the text of a NACK: "name: reason; name: reason". Of very many it says how many there are more.
func Complaint(rejected []Reject) string {
	var text strings.Builder
	for i := range rejected {
		one := rejected[i].Name + ": " + rejected[i].Reason.Error()
		if text.Len() > 0 && text.Len()+len(one) > maxNack {
			fmt.Fprintf(&text, "; and %d more", len(rejected)-i)
			break
		}
		if text.Len() > 0 {
			text.WriteString("; ")
		}
		text.WriteString(shortened(one, maxNack))
	}
	return text.String()
}

// shortened is at most the first n bytes of s, and valid as text.
func shortened(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "�")
}

// Subscribe asks for addresses by name.
func (s *Session) Subscribe(names ...string) *discovery.DeltaDiscoveryRequest {
	return &discovery.DeltaDiscoveryRequest{TypeUrl: Addresses.TypeURL(), ResourceNamesSubscribe: names}
}

// Unsubscribe takes that back, in a message of its own: together they would cancel each other out. It asks once more for
// anchor, a name that is subscribed to and stays so: istiod answers a request that names nothing with the removal of all
// that is subscribed to. Empty means that nothing is.
func (s *Session) Unsubscribe(anchor string, names ...string) *discovery.DeltaDiscoveryRequest {
	r := &discovery.DeltaDiscoveryRequest{TypeUrl: Addresses.TypeURL(), ResourceNamesUnsubscribe: names}
	if anchor != "" {
		r.ResourceNamesSubscribe = []string{anchor}
	}
	return r
}
