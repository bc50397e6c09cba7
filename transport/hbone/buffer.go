package hbone

import "sync"

// BufferClass is one of the sizes that buffers come in.
type BufferClass uint8

// The classes. Header and payload together fill whole TLS records from Buffer16K on.
const (
	Buffer4K BufferClass = iota
	Buffer16K
	Buffer64K
	Buffer128K
	// bufferSealed holds what 256 KiB become as TLS records.
	bufferSealed
	bufferClasses
)

// sealedRecord is the size of a full TLS 1.3 record on the wire.
const sealedRecord = 16384 + 22

var bufferSizes = [bufferClasses]int{4 * kib, 16 * kib, 64 * kib, 128 * kib, 16 * sealedRecord}

var bufferPools [bufferClasses]sync.Pool

// Buffer is a piece of pooled memory with room for a frame header in front of its payload. It has one owner.
type Buffer struct {
	mem   []byte
	r, w  int // what is to be sent or read: mem[r:w]
	class BufferClass
	merge bool // frames may be appended
	next  *Buffer
}

// TakeBuffer takes a buffer from the pool. The taker releases it or hands it on.
func TakeBuffer(class BufferClass) *Buffer {
	if b, ok := bufferPools[class].Get().(*Buffer); ok {
		return b
	}
	return &Buffer{mem: make([]byte, bufferSizes[class]), class: class}
}

// bufferFor takes the smallest buffer that holds n bytes, or the largest of those for payload.
func bufferFor(n int) *Buffer {
	class := Buffer4K
	for class < Buffer128K && bufferSizes[class] < n {
		class++
	}
	return TakeBuffer(class)
}

// Payload is the part behind the frame header.
func (b *Buffer) Payload() []byte { return b.mem[frameHeaderLen:] }

// Class is the buffer's size class.
func (b *Buffer) Class() BufferClass { return b.class }

// Release puts the buffer back.
func (b *Buffer) Release() {
	b.r, b.w, b.merge, b.next = 0, 0, false, nil
	if len(b.mem) == bufferSizes[b.class] {
		bufferPools[b.class].Put(b)
	}
}

// bytes is what has not been sent or read.
func (b *Buffer) bytes() []byte { return b.mem[b.r:b.w] }

// bufferList is a queue of buffers.
type bufferList struct {
	head, tail *Buffer
	size       int // bytes in it
}

func (l *bufferList) push(b *Buffer) {
	b.next = nil
	if l.tail == nil {
		l.head = b
	} else {
		l.tail.next = b
	}
	l.tail = b
	l.size += b.w - b.r
}

func (l *bufferList) pop() *Buffer {
	b := l.head
	if b == nil {
		return nil
	}
	l.head = b.next
	if l.head == nil {
		l.tail = nil
	}
	b.next = nil
	l.size -= b.w - b.r
	return b
}

// append copies p to the end of the queue, first into the room that the last buffer has.
func (l *bufferList) append(p []byte) {
	for len(p) > 0 {
		if t := l.tail; t != nil && t.w < len(t.mem) {
			n := copy(t.mem[t.w:], p)
			t.w += n
			l.size += n
			p = p[n:]
			continue
		}
		l.push(bufferFor(len(p)))
	}
}

// read copies from the front into p and releases what is used up.
func (l *bufferList) read(p []byte) int {
	n := 0
	for n < len(p) && l.head != nil {
		k := copy(p[n:], l.head.bytes())
		l.skip(k)
		n += k
	}
	return n
}

// skip drops n bytes, which the first buffer must have.
func (l *bufferList) skip(n int) {
	b := l.head
	b.r += n
	l.size -= n
	if b.r == b.w {
		l.pop().Release()
	}
}

// release empties the queue.
func (l *bufferList) release() {
	for b := l.pop(); b != nil; b = l.pop() {
		b.Release()
	}
}

// Payload is how many bytes of payload a buffer of the class has.
func (c BufferClass) Payload() int { return bufferSizes[c] - frameHeaderLen }
