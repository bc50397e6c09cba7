package ca

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

// fingerprint tells the contents of a file of roots apart. That of other roots never changes.
type fingerprint [sha256.Size]byte

// maxRoots bounds what is read of a file of roots, in bytes; grpcdial refuses longer ones.
const maxRoots = 4<<20 + 1

// fingerprint is that of the roots as they are now. The file is read for every call, of which there are two in the life of
// a certificate: nothing that a watch could tell is missed.
func (c *Client) fingerprint() (sum fingerprint, err error) {
	name := c.config.Server.Roots.File
	if name == "" {
		return sum, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return sum, fmt.Errorf("read %s: %w", c.config.Server.Roots, err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxRoots)); err != nil {
		return sum, fmt.Errorf("read %s: %w", c.config.Server.Roots, err)
	}
	return fingerprint(h.Sum(nil)), nil
}
