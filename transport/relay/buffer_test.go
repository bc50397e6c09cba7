package relay

import "testing"

func TestNextClass(t *testing.T) {
	tests := []struct{ class, n, want int }{
		{0, 1, 0},
		{0, 4 << 10, 1},
		{1, 16 << 10, 2},
		{1, 4 << 10, 1},
		{1, 4<<10 - 1, 0},
		{3, 128 << 10, 3},
		{3, 100, 2},
	}
	for _, tt := range tests {
		if got := nextClass(tt.class, tt.n); got != tt.want {
			t.Errorf("after %d bytes in class %d comes class %d, want %d", tt.n, tt.class, got, tt.want)
		}
	}
	for class, size := range bufferSizes {
		b := takeBuffer(class)
		if len(*b) != size {
			t.Errorf("class %d is %d bytes", class, len(*b))
		}
		returnBuffer(class, b)
	}
}
