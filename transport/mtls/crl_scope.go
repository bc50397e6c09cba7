package mtls

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
)

// Extensions of revocation lists and of their entries (RFC 5280 §5.2, §5.3), and the one of certificates that says where
// their list is (§4.2.1.13).
var (
	oidCRLNumber          = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidReasonCode         = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidInvalidityDate     = asn1.ObjectIdentifier{2, 5, 29, 24}
	oidDeltaIndicator     = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidIssuingPoint       = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidCertificateIssuer  = asn1.ObjectIdentifier{2, 5, 29, 29}
	oidDistributionPoints = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidAuthorityKeyID     = asn1.ObjectIdentifier{2, 5, 29, 35}
)

var errIndirect = errors.New("it is an indirect list, which is not supported")

// listScope says which of its issuer's certificates a list is about. Nil is all of them.
type listScope struct {
	onlyLeafs, onlyIntermediates bool
	// points are the URIs where the list is published; none means that they don't matter.
	points []string
}

// issuingPoint is the issuingDistributionPoint of RFC 5280 §5.2.5.
type issuingPoint struct {
	Point      pointName      `asn1:"optional,tag:0"`
	OnlyUsers  bool           `asn1:"optional,tag:1"`
	OnlyCAs    bool           `asn1:"optional,tag:2"`
	Reasons    asn1.BitString `asn1:"optional,tag:3"`
	Indirect   bool           `asn1:"optional,tag:4"`
	Attributes bool           `asn1:"optional,tag:5"`
}

type pointName struct {
	Full     []asn1.RawValue `asn1:"optional,tag:0"`
	Relative asn1.RawValue   `asn1:"optional,tag:1"`
}

// scopeOf reads which certificates a list is about. Lists that would have to be understood differently from others, and
// those that ask for something unknown, are refused: reading them as plain lists would be wrong.
func scopeOf(crl *x509.RevocationList) (*listScope, error) {
	var scope *listScope
	for _, e := range crl.Extensions {
		switch {
		case e.Id.Equal(oidDeltaIndicator):
			return nil, errors.New("it is a delta list, which is not supported")
		case e.Id.Equal(oidIssuingPoint):
			var err error
			if scope, err = parseScope(e.Value); err != nil {
				return nil, err
			}
		case e.Id.Equal(oidCRLNumber), e.Id.Equal(oidAuthorityKeyID):
		case e.Critical:
			return nil, fmt.Errorf("unknown critical extension %s", e.Id)
		}
	}
	return scope, nil
}

func parseScope(der []byte) (*listScope, error) {
	var p issuingPoint
	if rest, err := asn1.Unmarshal(der, &p); err != nil {
		return nil, fmt.Errorf("reading issuingDistributionPoint: %w", err)
	} else if len(rest) > 0 {
		return nil, fmt.Errorf("reading issuingDistributionPoint: %d bytes follow it", len(rest))
	}
	switch {
	case p.Indirect:
		return nil, errIndirect
	case p.Attributes, p.OnlyUsers && p.OnlyCAs:
		return nil, errors.New("it is about no certificate of a chain")
	case p.Reasons.BitLength > 0:
		return nil, errors.New("it has some reasons of revocation only, which is not supported")
	case len(p.Point.Relative.FullBytes) > 0:
		return nil, errors.New("its distribution point is a relative name, which is not supported")
	}
	s := &listScope{onlyLeafs: p.OnlyUsers, onlyIntermediates: p.OnlyCAs}
	for _, n := range p.Point.Full {
		if n.Class == asn1.ClassContextSpecific && n.Tag == tagURI {
			s.points = append(s.points, string(n.Bytes))
		}
	}
	if len(p.Point.Full) > 0 && len(s.points) == 0 {
		return nil, errors.New("its distribution point has no URI, which is not supported")
	}
	return s, nil
}

// entryIsPlain refuses an entry that does not simply say that a certificate of the list's issuer is revoked.
func entryIsPlain(e *x509.RevocationListEntry) error {
	for _, x := range e.Extensions {
		switch {
		case x.Id.Equal(oidCertificateIssuer):
			return errIndirect
		case x.Id.Equal(oidReasonCode), x.Id.Equal(oidInvalidityDate):
		case x.Critical:
			return fmt.Errorf("the entry of serial number %s has the unknown critical extension %s", e.SerialNumber, x.Id)
		}
	}
	return nil
}

// covers reports whether the list is about c. A certificate that says where its list is belongs to one published there.
func (s *listScope) covers(c *x509.Certificate, intermediate bool) bool {
	switch {
	case s == nil:
		return true
	case intermediate && s.onlyLeafs, !intermediate && s.onlyIntermediates:
		return false
	case len(s.points) == 0:
		return true
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(oidDistributionPoints) {
			return slices.ContainsFunc(c.CRLDistributionPoints, func(p string) bool { return slices.Contains(s.points, p) })
		}
	}
	return true
}
