package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parseUnsigned reads a decimal integer of up to bits bits: digits with an optional leading +, nothing else
// (spec/ops.md §1.2).
func parseUnsigned(s string, bits int) (uint64, error) {
	limit := ^uint64(0) >> (64 - bits)
	remedy := fmt.Sprintf("write a decimal number from 0 to %d", limit)
	digits := strings.TrimPrefix(s, "+")
	if s == "" {
		return 0, errors.New("cannot parse integer from empty string; " + remedy)
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, errors.New("invalid digit found in string; " + remedy)
	}
	n, err := strconv.ParseUint(digits, 10, bits)
	if err != nil {
		return 0, errors.New("number too large to fit in target type; " + remedy)
	}
	return n, nil
}
