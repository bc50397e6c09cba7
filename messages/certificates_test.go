package messages

import "testing"

func TestCertificatePriority(t *testing.T) {
	for p, want := range map[CertificatePriority]string{PriorityRealTime: "RealTime", PriorityWarmup: "Warmup", PriorityBackground: "Background"} {
		if p.String() != want {
			t.Errorf("%q: want %q", p, want)
		}
	}
	if (FetchCertificate{}).Priority != PriorityRealTime {
		t.Error("a fetch that says nothing is not the most urgent")
	}
}
