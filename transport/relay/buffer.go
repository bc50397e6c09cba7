package relay

import "sync"

// bufferSizes are the classes of buffers that a direction reads into. It starts small and grows with the stream
// (PERFORMANCE.md, decision 2).
var bufferSizes = [...]int{4 << 10, 16 << 10, 64 << 10, 128 << 10}

var buffers [len(bufferSizes)]sync.Pool

// takeBuffer takes a buffer of a class.
func takeBuffer(class int) *[]byte {
	if b, ok := buffers[class].Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, bufferSizes[class])
	return &b
}

// returnBuffer gives it back.
func returnBuffer(class int, b *[]byte) { buffers[class].Put(b) }

// nextClass is the class for the next read after one of class gave n bytes: one up if it was full, one down if
// less than a quarter of it was used.
func nextClass(class, n int) int {
	switch {
	case n == bufferSizes[class]:
		return min(class+1, len(bufferSizes)-1)
	case n < bufferSizes[class]/4:
		return max(class-1, 0)
	}
	return class
}
