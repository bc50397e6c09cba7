// Package certificates has whole proxies with a certificate authority that is not theirs: e2e/istiod's, over real gRPC and
// TLS. They have it sign, rotate its roots, go away and come back.
package certificates
