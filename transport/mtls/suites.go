package mtls

import (
	"crypto/tls"
	_ "unsafe" // for go:linkname
)

// crypto/tls has no setting for the suites of TLS 1.3, and offers ChaCha20-Poly1305 beside AES-GCM; it comes first where
// either side has no instructions for AES. The mesh takes AES-GCM only (spec/control.md §5.9), and a handshake that chose
// wrongly can't be mended afterwards, so the two lists that it chooses from are made shorter. They are among the names that
// Go promises to keep for go:linkname (go.dev/issue/67401). It is for the process as a whole, as the reference's is.
var (
	//go:linkname suitesWithAES crypto/tls.defaultCipherSuitesTLS13
	suitesWithAES []uint16
	//go:linkname suitesWithoutAES crypto/tls.defaultCipherSuitesTLS13NoAES
	suitesWithoutAES []uint16
)

func init() {
	suitesWithAES = []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384}
	suitesWithoutAES = suitesWithAES
}
