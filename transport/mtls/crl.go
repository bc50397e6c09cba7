package mtls

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"sync"
)

const blockCRL = "X509 CRL"

// Bounds of a file of revocation lists. Kubernetes' own is 1 MiB for all of a ConfigMap.
const (
	maxRevocationFile = 32 << 20
	maxLists          = 1024
	// maxSigners bounds the issuers that a list remembers to be signed by, or not.
	maxSigners = 64
)

var pemBegin = []byte("-----BEGIN ")

// RevocationLists are certificate revocation lists in the order of their file. They are frozen and safe for concurrent
// use; ParseRevocationLists makes them.
//
// Of the lists of one issuer only the first that is about a certificate is asked (spec/control.md §5.10). When a list
// ended does not matter, nor does a number or an end that is missing.
type RevocationLists struct {
	version uint64
	sum     [sha256.Size]byte // of the file
	lists   []*revocationList
}

// revocationList is one list.
type revocationList struct {
	crl     *x509.RevocationList // without its entries
	serials map[string]struct{}
	scope   *listScope // nil: everything that its issuer has issued

	mu      sync.Mutex
	signers map[string]error // by public key: what signedBy said
}

// ParseRevocationLists reads a file: PEM with any number of lists among other things, or one list in DER. An empty
// file, and PEM without lists, has no revocations. One list that can't be used spoils the file: which certificates it
// would have named is not known.
func ParseRevocationLists(content []byte) (*RevocationLists, error) {
	all := &RevocationLists{}
	switch {
	case len(content) == 0:
		return all, nil
	case len(content) > maxRevocationFile:
		return nil, fmt.Errorf("%d bytes of revocation lists: want at most %d", len(content), maxRevocationFile)
	case !bytes.HasPrefix(content, pemBegin):
		return all, all.add(content)
	}
	blocks := 0
	for rest := content; ; blocks++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == blockCRL {
			if err := all.add(block.Bytes); err != nil {
				return nil, err
			}
		}
	}
	// A block that is cut short or is not base64 is passed over by the decoder: half a file must not look like an empty one.
	if begun := bytes.Count(content, pemBegin); begun != blocks {
		return nil, fmt.Errorf("%d of %d PEM blocks can't be read", begun-blocks, begun)
	}
	return all, nil
}

// Version counts the lists that a [Revocations] has read; it grows with every change.
func (l *RevocationLists) Version() uint64 { return l.version }

// Len is the number of lists, Revoked that of their entries.
func (l *RevocationLists) Len() int { return len(l.lists) }

// Revoked is the number of entries of all lists.
func (l *RevocationLists) Revoked() int {
	n := 0
	for _, list := range l.lists {
		n += len(list.serials)
	}
	return n
}

func (l *RevocationLists) add(der []byte) error {
	if len(l.lists) == maxLists {
		return fmt.Errorf("more than %d revocation lists", maxLists)
	}
	list, err := parseRevocationList(der)
	if err != nil {
		return fmt.Errorf("revocation list %d: %w", len(l.lists)+1, err)
	}
	l.lists = append(l.lists, list)
	return nil
}

func parseRevocationList(der []byte) (*revocationList, error) {
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	list := &revocationList{serials: make(map[string]struct{}, len(crl.RevokedCertificateEntries)), signers: map[string]error{}}
	if list.scope, err = scopeOf(crl); err != nil {
		return nil, err
	}
	for i := range crl.RevokedCertificateEntries {
		e := &crl.RevokedCertificateEntries[i]
		if err := entryIsPlain(e); err != nil {
			return nil, err
		}
		list.serials[serialKey(e.SerialNumber)] = struct{}{}
	}
	list.crl = &x509.RevocationList{
		RawTBSRevocationList: crl.RawTBSRevocationList, RawIssuer: crl.RawIssuer, Issuer: crl.Issuer,
		Signature: crl.Signature, SignatureAlgorithm: crl.SignatureAlgorithm,
	}
	return list, nil
}

func serialKey(n *big.Int) string {
	if n.Sign() < 0 {
		return "-" + string(n.Bytes())
	}
	return string(n.Bytes())
}

func (l *revocationList) has(c *x509.Certificate) bool {
	_, ok := l.serials[serialKey(c.SerialNumber)]
	return ok
}

// signedBy checks that issuer has signed the list and may sign lists. An issuer without a key usage may, as an anchor.
func (l *revocationList) signedBy(issuer *x509.Certificate) error {
	key := string(issuer.RawSubjectPublicKeyInfo)
	if issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return errors.New("its issuer's key usage forbids signing revocation lists")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err, known := l.signers[key]; known {
		return err
	}
	err := l.crl.CheckSignatureFrom(issuer)
	if len(l.signers) < maxSigners {
		l.signers[key] = err
	}
	return err
}

// check looks up every certificate of a verified chain but its anchor. It returns a *RevokedError for one that is
// listed, a *RevocationListError for one whose list can't be believed, nil for those that no list is about.
func (l *RevocationLists) check(chain []*x509.Certificate) error {
	for i, c := range chain[:max(0, len(chain)-1)] {
		list := l.about(c, i > 0)
		if list == nil {
			continue
		}
		if err := list.signedBy(chain[i+1]); err != nil {
			return &RevocationListError{Issuer: list.crl.Issuer.String(), Err: err}
		}
		if list.has(c) {
			return &RevokedError{SerialNumber: c.SerialNumber.String(), Issuer: list.crl.Issuer.String(), Intermediate: i > 0}
		}
	}
	return nil
}

// about is the first list that is authoritative for c.
func (l *RevocationLists) about(c *x509.Certificate, intermediate bool) *revocationList {
	for _, list := range l.lists {
		if bytes.Equal(list.crl.RawIssuer, c.RawIssuer) && list.scope.covers(c, intermediate) {
			return list
		}
	}
	return nil
}

// mayName reports whether some list of the issuers' names has one of certs: only then is a look worth its while.
func (l *RevocationLists) mayName(certs []*x509.Certificate) bool {
	for _, list := range l.lists {
		for _, c := range certs {
			if bytes.Equal(list.crl.RawIssuer, c.RawIssuer) && list.has(c) {
				return true
			}
		}
	}
	return false
}
