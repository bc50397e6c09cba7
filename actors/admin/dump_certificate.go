package admin

import (
	"cmp"
	"encoding/base64"
	"slices"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

func dumpCertificates(certificates []messages.CertificateDump) []object {
	sorted := slices.SortedStableFunc(slices.Values(certificates), func(a, b messages.CertificateDump) int {
		return cmp.Compare(a.Identity, b.Identity)
	})
	return list(sorted, func(c messages.CertificateDump) object {
		return object{
			"identity": c.Identity, "state": c.State, "certChain": list(c.Chain, dumpPEM), "rootCerts": list(c.Roots, dumpPEM),
		}
	})
}

func dumpPEM(c messages.CertificatePEM) object {
	return object{
		"pem": base64.StdEncoding.EncodeToString(c.PEM), "serialNumber": c.SerialNumber,
		"validFrom": c.NotBefore.UTC().Format(time.RFC3339), "expirationTime": c.NotAfter.UTC().Format(time.RFC3339),
	}
}
