package agent

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
)

// patternBlock is the length after which the pattern repeats, but for the block's number at its head.
const patternBlock = 64 << 10

// pattern is an endless stream of bytes that both sides can make from the seed. No two blocks are alike, so that what
// is lost, repeated or out of order is seen, and it costs less than the proxies that it goes through.
type pattern struct {
	block  []byte
	number uint64 // of the block
	offset int    // in the block
	head   uint64
}

func newPattern(seed uint64) *pattern {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	p := &pattern{block: make([]byte, patternBlock)}
	random := rand.NewChaCha8(key)
	_, _ = random.Read(p.block)
	p.head = binary.BigEndian.Uint64(p.block)
	return p
}

// rest is the pattern's next bytes, at most limit.
func (p *pattern) rest(limit uint64) []byte {
	rest := p.block[p.offset:]
	if uint64(len(rest)) > limit {
		rest = rest[:limit]
	}
	return rest
}

func (p *pattern) skip(n int) {
	if p.offset += n; p.offset == patternBlock {
		p.offset = 0
		p.number++
		binary.BigEndian.PutUint64(p.block, p.head^p.number)
	}
}

// send writes the next n bytes of the pattern.
func (p *pattern) send(to io.Writer, n uint64) error {
	for n > 0 {
		wrote, err := to.Write(p.rest(n))
		p.skip(wrote)
		n -= uint64(wrote)
		if err != nil {
			return fmt.Errorf("sending with %d bytes to go: %w", n, err)
		}
	}
	return nil
}

// check reads n bytes and compares them with the pattern's next.
func (p *pattern) check(from io.Reader, n uint64) error {
	buffer := make([]byte, 128<<10)
	for position := uint64(0); n > 0; {
		part := buffer[:min(uint64(len(buffer)), n)]
		got, err := from.Read(part)
		for part = part[:got]; len(part) > 0; {
			want := p.rest(uint64(len(part)))
			if !bytes.Equal(part[:len(want)], want) {
				return fmt.Errorf("wrong bytes between %d and %d", position, position+uint64(len(want)))
			}
			position += uint64(len(want))
			part = part[len(want):]
			p.skip(len(want))
		}
		n -= uint64(got)
		if err != nil && n > 0 {
			return fmt.Errorf("receiving with %d bytes to go: %w", n, err)
		}
	}
	return nil
}
