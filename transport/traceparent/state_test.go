package traceparent

import (
	"fmt"
	"strings"
	"testing"
)

// manyMembers is n members.
func manyMembers(n int) string {
	var m []string
	for i := range n {
		m = append(m, fmt.Sprintf("k%d=v", i))
	}
	return strings.Join(m, ",")
}

func TestState(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		has   bool
		added string
	}{
		{"absent", nil, false, Mark},
		{"empty", []string{""}, false, Mark},
		{"ours alone", []string{"troupe=1"}, true, Mark},
		{"ours among others", []string{"a=1, troupe=1 ,b=2"}, true, "troupe=1,a=1,b=2"},
		{"over two lines", []string{"a=1", "troupe=1"}, true, "troupe=1,a=1"},
		{"another value", []string{"troupe=2,a=1"}, false, "troupe=1,a=1"},
		{"a longer key", []string{"troupes=1"}, false, "troupe=1,troupes=1"},
		{"a tenant's", []string{"1t@troupe=1"}, false, "troupe=1,1t@troupe=1"},
		{"empty members", []string{",troupe=1,,"}, true, Mark},
		{"a value with blanks inside", []string{"a=x y"}, false, "troupe=1,a=x y"},
		{"32 members", []string{manyMembers(32)}, false, Mark + "," + manyMembers(31)},
		{"33 members", []string{manyMembers(32) + ",troupe=1"}, false, Mark},
		{"a key twice", []string{"troupe=1,a=1,a=2"}, false, Mark},
		{"ours twice", []string{"troupe=1,troupe=1"}, false, Mark},
		{"no value", []string{"troupe=1,a="}, false, Mark},
		{"no equals sign", []string{"troupe=1,a"}, false, Mark},
		{"two equals signs", []string{"troupe=1,a=b=c"}, false, Mark},
		{"upper-case key", []string{"troupe=1,A=1"}, false, Mark},
		{"a key that begins with a digit", []string{"troupe=1,1a=1"}, false, Mark},
		{"a system that begins with a digit", []string{"troupe=1,a@1=1"}, false, Mark},
		{"not ASCII", []string{"troupe=1,a=\xff"}, false, Mark},
		{"a control character", []string{"troupe=1,a=\x01"}, false, Mark},
		{"a key too long", []string{"troupe=1," + strings.Repeat("k", 257) + "=1"}, false, Mark},
		{"a value too long", []string{"troupe=1,a=" + strings.Repeat("v", 257)}, false, Mark},
		{"far too much", []string{"troupe=1", strings.Repeat(",", maxStateBytes)}, false, Mark},
		{
			"shortened from the end",
			[]string{"a=" + strings.Repeat("v", 250), "b=" + strings.Repeat("v", 240), "c=" + strings.Repeat("v", 200)},
			false,
			Mark + ",a=" + strings.Repeat("v", 250) + ",b=" + strings.Repeat("v", 240),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := HasMark(tt.lines...); got != tt.has {
				t.Errorf("HasMark is %v", got)
			}
			if got := AddMark(tt.lines...); got != tt.added {
				t.Errorf("AddMark is %q, want %q", got, tt.added)
			}
		})
	}
}

func FuzzState(f *testing.F) {
	f.Add("a=1,troupe=1", "b@c=2")
	f.Add(manyMembers(33), "")
	f.Fuzz(func(t *testing.T, a, b string) {
		added := AddMark(a, b)
		if !HasMark(added) || len(added) > maxState || AddMark(added) != added {
			t.Errorf("from %q and %q came %q", a, b, added)
		}
		if HasMark(a, b) && !HasMark(a) && !HasMark(b) {
			t.Errorf("the mark of %q and %q is in neither", a, b)
		}
	})
}
