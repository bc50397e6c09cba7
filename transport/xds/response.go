package xds

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// response is a DeltaDiscoveryResponse whose resources are still packed. It is read by hand: a mesh may come as one message
// of 200 MiB, and this way its bytes are there once.
type response struct {
	typeURL, nonce string
	resources      []packed
	removed        []string
}

// packed is a Resource. body is nil when there is none.
type packed struct {
	name, version string
	aliases       []string
	body          []byte
}

// The fields of the messages (transport/wire/discovery).
const (
	responseResources = 2
	responseTypeURL   = 4
	responseNonce     = 5
	responseRemoved   = 6
	resourceVersion   = 1
	resourceBody      = 2
	resourceName      = 3
	resourceAliases   = 4
	anyValue          = 2
)

var (
	errEnvelope = errors.New("the response is damaged")
	errUTF8     = errors.New("it has text that is not UTF-8")
)

// parseResponse reads a response; it keeps parts of b.
func parseResponse(b []byte) (*response, error) {
	r := &response{}
	err := fields(b, func(number protowire.Number, value []byte) error {
		var err error
		switch number {
		case responseTypeURL:
			r.typeURL, err = text(value)
		case responseNonce:
			r.nonce, err = text(value)
		case responseRemoved:
			var name string
			name, err = text(value)
			r.removed = append(r.removed, name)
		case responseResources:
			var p packed
			p, err = parseResource(value)
			r.resources = append(r.resources, p)
		default:
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errEnvelope, err)
	}
	return r, nil
}

func parseResource(b []byte) (packed, error) {
	var p packed
	err := fields(b, func(number protowire.Number, value []byte) error {
		var err error
		switch number {
		case resourceName:
			p.name, err = text(value)
		case resourceVersion:
			p.version, err = text(value)
		case resourceAliases:
			var alias string
			alias, err = text(value)
			p.aliases = append(p.aliases, alias)
		case resourceBody:
			if p.body == nil {
				p.body = []byte{}
			}
			err = fields(value, func(number protowire.Number, value []byte) error {
				if number == anyValue {
					p.body = value
				}
				return nil
			})
		default:
		}
		return err
	})
	return p, err
}

// fields goes through the length-delimited fields of a message and skips others.
func fields(b []byte, visit func(number protowire.Number, value []byte) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
				return protowire.ParseError(n)
			}
			b = b[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := visit(number, value); err != nil {
			return err
		}
	}
	return nil
}

func text(b []byte) (string, error) {
	if !utf8.Valid(b) {
		return "", errUTF8
	}
	return string(b), nil
}
