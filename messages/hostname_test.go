package messages

import "testing"

func TestCanonicalHost(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"cart.shop.svc.cluster.local", "cart.shop.svc.cluster.local"},
		{"cart.shop.", "cart.shop"},
		{"CaRt.Shop", "cart.shop"},
		{"*.Example.com", "*.example.com"},
		{"_dmarc.example.com", "_dmarc.example.com"},
		{"bücher.example", "xn--bcher-kva.example"},
		{"BÜCHER.Example.", "xn--bcher-kva.example"},
		{"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
		{"\xff\xfe.example", ""},
		{"", ""},
		{".", ""},
	} {
		if got := CanonicalHost(test.name); got != test.want {
			t.Errorf("CanonicalHost(%q) = %q, want %q", test.name, got, test.want)
		}
	}
}

func FuzzCanonicalHost(f *testing.F) {
	for _, name := range []string{"", ".", "a.b", "Ä.ö", "xn--", "xn--a", "\xc3", "a..b", "ß.example"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		once := CanonicalHost(name)
		if again := CanonicalHost(once + "."); again != once {
			t.Errorf("CanonicalHost(%q) = %q, and of that %q", name, once, again)
		}
	})
}

func TestCanonicalHostCostsNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { CanonicalHost("cart.shop.svc.cluster.local.") }); n != 0 {
		t.Errorf("%v allocations for a name that is canonical", n)
	}
}
