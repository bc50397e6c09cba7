package admin

import (
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// encoding is how an answer's body is compressed; a smaller one is preferred.
type encoding uint8

const (
	encodeZstd encoding = iota
	encodeBrotli
	encodeGzip
	encodeDeflate
	encodeIdentity
	encodings
)

var encodingNames = [encodings]string{"zstd", "br", "gzip", "deflate", "identity"}

// negotiate chooses by the Accept-Encoding header's values: the highest q wins, on a tie the smaller encoding. ok is
// false when nothing is acceptable; the body is then sent as it is (spec/ops.md §5.5).
func negotiate(accept []string) (chosen encoding, ok bool) {
	const unnamed = -1
	weights := [encodings]int{unnamed, unnamed, unnamed, unnamed, unnamed}
	rest := unnamed
	for _, header := range accept {
		for element := range strings.SplitSeq(header, ",") {
			name, q, valid := parseWeighted(element)
			if !valid {
				continue
			}
			if name == "*" {
				rest = q
			} else if e, known := encodingNamed(name); known {
				weights[e] = q
			}
		}
	}
	chosen, best := encodeIdentity, 0
	for e, q := range weights {
		if q == unnamed {
			q = rest
		}
		if q > best {
			chosen, best = encoding(e), q
		}
	}
	if best > 0 {
		return chosen, true
	}
	identity := weights[encodeIdentity]
	return encodeIdentity, identity == unnamed && rest != 0
}

func encodingNamed(name string) (encoding, bool) {
	if name == "x-gzip" {
		return encodeGzip, true
	}
	for e, known := range encodingNames {
		if name == known {
			return encoding(e), true
		}
	}
	return encodeIdentity, false
}

// parseWeighted reads "name;q=0.5": the name in lower case and q in thousandths.
func parseWeighted(element string) (name string, thousandths int, ok bool) {
	name, parameter, weighted := strings.Cut(element, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	if !weighted {
		return name, 1000, name != ""
	}
	key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
	if !strings.EqualFold(key, "q") || len(value) > 5 {
		return name, 0, false
	}
	q, err := strconv.ParseFloat(value, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return name, 0, false
	}
	return name, int(q*1000 + 0.5), true
}

// compress writes body to w in an encoding.
func compress(w io.Writer, e encoding, body []byte) error {
	c, err := compressor(w, e)
	if err != nil {
		return fmt.Errorf("compress with %s: %w", encodingNames[e], err)
	}
	if _, err := c.Write(body); err != nil {
		_ = c.Close() // the first failure counts
		return fmt.Errorf("compress with %s: %w", encodingNames[e], err)
	}
	if err := c.Close(); err != nil {
		return fmt.Errorf("compress with %s: %w", encodingNames[e], err)
	}
	return nil
}

func compressor(w io.Writer, e encoding) (io.WriteCloser, error) {
	switch e {
	case encodeZstd:
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	case encodeBrotli:
		return brotli.NewWriterLevel(w, 4), nil
	case encodeGzip:
		return gzip.NewWriterLevel(w, gzip.BestSpeed)
	case encodeDeflate:
		return zlib.NewWriterLevel(w, zlib.BestSpeed)
	case encodeIdentity, encodings:
	}
	return plain{w}, nil
}

// plain compresses nothing.
type plain struct{ io.Writer }

// Close does nothing.
func (plain) Close() error { return nil }
