package bubble

import (
	"context"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// Lists are the revocation lists of a node: a file, and somebody who tells when it has changed.
type Lists struct {
	w       *World
	path    string
	lists   *mtls.Revocations
	changed chan struct{}
}

// Lists makes the lists of a node-to-be, without a file.
func (w *World) Lists() *Lists {
	w.tb.Helper()
	l := &Lists{w: w, path: filepath.Join(w.tb.TempDir(), "ca-crl.pem"), changed: make(chan struct{}, 1)}
	var err error
	if l.lists, err = mtls.NewRevocations(l.path); err != nil {
		w.tb.Fatal(err)
	}
	return l
}

// config is what a node needs to heed the lists.
func (l *Lists) config() *identity.RevocationsConfig {
	return &identity.RevocationsConfig{
		Lists: l.lists, Watch: func(string) (identity.DirectoryWatch, error) { return directory{l.changed}, nil },
	}
}

// directory watches in virtual time.
type directory struct{ changed chan struct{} }

// Next waits for a change.
func (d directory) Next(ctx context.Context, settle time.Duration) error {
	select {
	case <-d.changed:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-time.After(settle):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close does nothing.
func (directory) Close() error { return nil }

// Revoke writes a list that names the certificates, and nothing else, and tells of it. It takes the node two seconds to
// look.
func (l *Lists) Revoke(revoked ...*mtls.Certificate) {
	l.w.tb.Helper()
	serials := make([]*big.Int, len(revoked))
	for i, c := range revoked {
		serials[i] = c.Leaf().SerialNumber
	}
	l.RevokeSerials(serials...)
}

// RevokeSerials is Revoke by serial numbers.
func (l *Lists) RevokeSerials(serials ...*big.Int) {
	l.w.tb.Helper()
	list, err := l.w.authority.RevocationList(serials...)
	if err != nil {
		l.w.tb.Fatal(err)
	}
	l.Write(list)
}

// Write puts content into the file and tells of it.
func (l *Lists) Write(content []byte) {
	l.w.tb.Helper()
	if err := os.WriteFile(l.path, content, 0o600); err != nil {
		l.w.tb.Fatal(err)
	}
	l.tell()
}

// Remove takes the file away and tells of it.
func (l *Lists) Remove() {
	l.w.tb.Helper()
	if err := os.Remove(l.path); err != nil {
		l.w.tb.Fatal(err)
	}
	l.tell()
}

func (l *Lists) tell() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Signer is the CA of the world's nodes, for one that adds to it. The lists are its own.
func (w *World) Signer() identity.Signer { return identity.Local(w.authority) }

// Certificate is the node's own.
func (n *Node) Certificate() *mtls.Certificate {
	n.w.tb.Helper()
	fetched, err := kit.AskFor[*messages.CertificateFetched](context.Background(), n.System, n.Stores().Certificates,
		&messages.FetchCertificate{Identity: Identity(n.name)}, closing)
	if err != nil {
		n.w.tb.Fatal(err)
	}
	c, ok := fetched.Certificate.(*mtls.Certificate)
	if !ok {
		n.w.tb.Fatalf("node %s has no certificate: %v", n.name, fetched.Err)
	}
	return c
}
