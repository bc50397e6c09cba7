package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"

	"github.com/troupe-mesh/troupe/messages"
)

var oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// tagURI is the tag of a uniformResourceIdentifier among the GeneralNames (RFC 5280 §4.2.1.6).
const tagURI = 6

// Identities lists the SPIFFE ids of a certificate in its order. SANs of another kind or form are passed over. The
// ids are read as they were signed, not as a URL parser would tidy them up.
func Identities(c *x509.Certificate) []messages.Identity {
	var ids []messages.Identity
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidSubjectAltName) {
			continue
		}
		uris, err := uriNames(e.Value)
		if err != nil {
			return nil
		}
		for _, u := range uris {
			if id, err := messages.ParseIdentity(u); err == nil {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// PeerIdentity is who the peer of a finished handshake is: the first SPIFFE id of its certificate. This is the one
// that policy, telemetry and, on a server, the trust-domain check use.
func PeerIdentity(cs tls.ConnectionState) (messages.Identity, bool) {
	if len(cs.PeerCertificates) == 0 {
		return messages.Identity{}, false
	}
	ids := Identities(cs.PeerCertificates[0])
	if len(ids) == 0 {
		return messages.Identity{}, false
	}
	return ids[0], true
}

// MatchedIdentity is the id because of which a client accepted its server: the first of the server's that is
// expected. A server with several ids is known by this one.
func MatchedIdentity(cs tls.ConnectionState, expected []messages.Identity) (messages.Identity, bool) {
	if len(cs.PeerCertificates) == 0 {
		return messages.Identity{}, false
	}
	for _, id := range Identities(cs.PeerCertificates[0]) {
		if slices.Contains(expected, id) {
			return id, true
		}
	}
	return messages.Identity{}, false
}

func uriNames(san []byte) ([]string, error) {
	var names []asn1.RawValue
	if rest, err := asn1.Unmarshal(san, &names); err != nil {
		return nil, fmt.Errorf("reading subjectAltName: %w", err)
	} else if len(rest) > 0 {
		return nil, fmt.Errorf("reading subjectAltName: %d bytes follow it", len(rest))
	}
	var uris []string
	for _, n := range names {
		if n.Class == asn1.ClassContextSpecific && n.Tag == tagURI {
			uris = append(uris, string(n.Bytes))
		}
	}
	return uris, nil
}

// uriSAN is the value of a subjectAltName with one URI.
func uriSAN(id messages.Identity) (value []byte, err error) {
	return asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: tagURI, Bytes: []byte(id.String())}})
}
