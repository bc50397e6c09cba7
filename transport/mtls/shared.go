package mtls

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// SharedFile is the name of the file in FAKE_CA_DIR that holds the key and the root of a shared authority.
const SharedFile = "troupe-ca.pem"

// SharedAuthority is the authority that all processes using dir share (FAKE_CA_DIR). Its key and root are in one file
// that the first process makes and the others load: written beside its place with mode 0600 and then put there in one
// step, so that nobody ever sees a part of it. A missing directory is made. Errors are of type *SharedFileError.
//
// Whoever can read the file can be anybody in the mesh, and whoever can replace it too: a file that others may read or
// write or that another user owns is refused, as is a directory in which others may replace it.
func SharedAuthority(dir string, o AuthorityOptions) (*Authority, error) {
	o, err := o.normalized()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &SharedFileError{Path: dir, Remedy: "name a directory that can be made or used", Err: err}
	}
	if err := checkDirectory(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, SharedFile)
	a, err := loadAuthority(path, o)
	if !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	if err := foundAuthority(path, o); err != nil {
		return nil, err
	}
	return loadAuthority(path, o)
}

// foundAuthority makes a new authority and puts it at path unless there is one by then.
func foundAuthority(path string, o AuthorityOptions) error {
	a, err := NewAuthority(o)
	if err != nil {
		return err
	}
	content, err := a.encode()
	if err != nil {
		return err
	}
	if err := place(path, content); err != nil {
		return &SharedFileError{Path: path, Remedy: "make its directory writable", Err: err}
	}
	return nil
}

func (a *Authority) encode() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, fmt.Errorf("encoding the key of a certificate authority: %w", err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: blockPrivateKey, Bytes: der}), a.rootPEM...), nil
}

// place puts content at path, whole, with mode 0600, unless path exists.
func place(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".troupe-ca-*.tmp") // CreateTemp's mode is 0600
	if err != nil {
		return err
	}
	defer func() {
		if rm := os.Remove(f.Name()); err == nil && !errors.Is(rm, fs.ErrNotExist) {
			err = rm
		}
	}()
	if err := errors.Join(write(f, content), f.Close()); err != nil {
		return err
	}
	err = os.Link(f.Name(), path)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) { // no hard links here
		err = unix.Renameat2(unix.AT_FDCWD, f.Name(), unix.AT_FDCWD, path, unix.RENAME_NOREPLACE)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func write(f *os.File, content []byte) error {
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Sync()
}

// loadAuthority reads the authority at path. Its error wraps fs.ErrNotExist when there is none.
func loadAuthority(path string, o AuthorityOptions) (*Authority, error) {
	content, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	key, root, err := decodeAuthority(content)
	if err != nil {
		return nil, &SharedFileError{Path: path, Remedy: remedyRemove, Err: err}
	}
	if now := o.Now(); now.After(root.NotAfter) {
		err := fmt.Errorf("its root expired at %s", root.NotAfter.Format("2006-01-02T15:04:05Z07:00"))
		return nil, &SharedFileError{Path: path, Remedy: remedyRemove, Err: err}
	}
	return newAuthority(key, root, o), nil
}

func decodeAuthority(content []byte) (crypto.Signer, *x509.Certificate, error) {
	var key crypto.Signer
	var root *x509.Certificate
	for rest := content; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if len(bytes.TrimSpace(rest)) > 0 {
				return nil, nil, errors.New("holds something that is not PEM")
			}
			break
		}
		switch {
		case block.Type == blockPrivateKey && key == nil:
			parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("parsing its private key: %w", err)
			}
			signer, ok := parsed.(crypto.Signer)
			if !ok {
				return nil, nil, fmt.Errorf("its private key is a %T, which can't sign", parsed)
			}
			key = signer
		case block.Type == blockCertificate && root == nil:
			parsed, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("parsing its certificate: %w", err)
			}
			root = parsed
		default:
			return nil, nil, fmt.Errorf("unexpected PEM block %q: want one %s and one %s", block.Type, blockPrivateKey, blockCertificate)
		}
	}
	return key, root, checkPair(key, root)
}

func checkPair(key crypto.Signer, root *x509.Certificate) error {
	if key == nil || root == nil {
		return fmt.Errorf("want one PEM block %s and one %s", blockPrivateKey, blockCertificate)
	}
	if err := maySign(root); err != nil {
		return fmt.Errorf("its certificate can't be a root: %w", err)
	}
	if pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(root.PublicKey) {
		return errors.New("its key and its certificate do not belong together")
	}
	return nil
}
