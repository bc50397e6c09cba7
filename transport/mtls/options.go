package mtls

import (
	"crypto/tls"
	"time"
)

// Options choose among the protocol's variants (spec/dataplane.md §4.1). The zero value is the default.
type Options struct {
	// TLS12 allows TLS 1.2 beside 1.3 (TLS12_ENABLED).
	TLS12 bool
	// PQC allows no key exchange but X25519MLKEM768 (COMPLIANCE_POLICY=pqc).
	PQC bool
	// Revocations are the lists that peers must not be on; nil for none (CRL_PATH).
	Revocations *Revocations
	// Now is the clock that certificates are judged by; nil means time.Now.
	Now func() time.Time
}

const alpnH2 = "h2"

// The groups. Go ignores their order.
var (
	groupsClassical   = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384}
	groupsAll         = append([]tls.CurveID{tls.X25519MLKEM768}, groupsClassical...)
	groupsPostQuantum = []tls.CurveID{tls.X25519MLKEM768}
)

var suitesTLS12 = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// base is what both roles share.
func (o Options) base(groups []tls.CurveID) *tls.Config {
	if o.PQC {
		groups = groupsPostQuantum
	}
	c := &tls.Config{
		Time:                        o.Now,
		MinVersion:                  tls.VersionTLS13,
		MaxVersion:                  tls.VersionTLS13,
		NextProtos:                  []string{alpnH2},
		CurvePreferences:            groups,
		SessionTicketsDisabled:      true,
		DynamicRecordSizingDisabled: true,
	}
	if o.TLS12 {
		c.MinVersion = tls.VersionTLS12
		c.CipherSuites = suitesTLS12
	}
	return c
}
