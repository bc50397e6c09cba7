package state

import "testing"

func TestPreferredVIP(t *testing.T) {
	for _, tc := range []struct {
		name string
		vips []string
		want string
	}{
		{"none", nil, "invalid IP"},
		{"IPv4 on our network first", []string{"2001:db8::1", "10.0.0.1", "remote/10.0.0.9"}, "10.0.0.1"},
		{"then IPv6 on our network", []string{"remote/10.0.0.9", "2001:db8::1"}, "2001:db8::1"},
		{"then any, the last one", []string{"remote/10.0.0.9", "remote/10.0.0.8"}, "10.0.0.8"},
		{"the last among equals", []string{"10.0.0.1", "10.0.0.2"}, "10.0.0.2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := service("ns/a.com")
			for _, v := range tc.vips {
				s.VIPs = append(s.VIPs, at(v))
			}
			if got := preferredVIP(s, "").String(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
