package grpcdial

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Roots say which certificates may have issued the server's: those of a file, the operating system's, or of PEM text.
// They are looked at in this order; without any of them no server can be trusted.
type Roots struct {
	File   string
	System bool
	PEM    string
}

// maxRoots bounds a file of roots, in bytes.
const maxRoots = 4 << 20

// String says where the roots come from, for errors.
func (r Roots) String() string {
	switch {
	case r.File != "":
		return "the roots in " + r.File
	case r.System:
		return "the system's roots"
	}
	return "the roots given as text"
}

// Pool reads the roots. Certificates in them that don't parse are left out; it is an error if a file can't be read, if PEM
// is damaged, or if the system has no roots.
func (r Roots) Pool() (*x509.CertPool, error) {
	switch {
	case r.File != "":
		text, err := readBounded(r.File, maxRoots)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", r, err)
		}
		return r.parse(text)
	case r.System:
		pool, err := systemPool()
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", r, err)
		}
		return pool.Clone(), nil
	}
	return r.parse([]byte(r.PEM))
}

var systemPool = sync.OnceValues(x509.SystemCertPool)

var errNoCertificate = errors.New("there is no certificate in PEM form")

func (r Roots) parse(text []byte) (*x509.CertPool, error) {
	pool, found := x509.NewCertPool(), false
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		found = true
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			pool.AddCert(c)
		}
	}
	if !found {
		return nil, fmt.Errorf("%s: %w", r, errNoCertificate)
	}
	return pool, nil
}

// readBounded reads a file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return text, nil
}
