package messages

import (
	"strings"
	"testing"
)

func TestParseIdentity(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Identity
		ok   bool
	}{
		{"spiffe://cluster.local/ns/default/sa/web", Identity{"cluster.local", "default", "web"}, true},
		{"spiffe://td/ns/ns.with.dots/sa/sa-with-dashes", Identity{"td", "ns.with.dots", "sa-with-dashes"}, true},
		{"spiffe://td/ns/sa/sa/ns", Identity{"td", "sa", "ns"}, true},
		{"spiffe:///ns//sa/", Identity{}, true},
		{"spiffe://td/ns//sa/x", Identity{"td", "", "x"}, true},
		{"spiffe://td/ns/a%2Fb/sa/c?d", Identity{"td", "a%2Fb", "c?d"}, true},
		{"", Identity{}, false},
		{"td/ns/default/sa/web", Identity{}, false},
		{"SPIFFE://td/ns/default/sa/web", Identity{}, false},
		{"spiffe:/td/ns/default/sa/web", Identity{}, false},
		{"https://td/ns/default/sa/web", Identity{}, false},
		{"spiffe://td/ns/default/sa", Identity{}, false},
		{"spiffe://td/ns/default/sa/web/", Identity{}, false},
		{"spiffe://td/ns/default/sa/web/more", Identity{}, false},
		{"spiffe://td//ns/default/sa/web", Identity{}, false},
		{"spiffe://td/namespace/default/sa/web", Identity{}, false},
		{"spiffe://td/ns/default/serviceaccount/web", Identity{}, false},
		{"spiffe://td/NS/default/sa/web", Identity{}, false},
		{" spiffe://td/ns/default/sa/web", Identity{}, false},
	} {
		got, err := ParseIdentity(tt.text)
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("%q: %+v, %v: want %+v", tt.text, got, err, tt.want)
		}
		if err != nil && !strings.Contains(err.Error(), "identity \""+tt.text) {
			t.Errorf("%q: the error does not name it: %v", tt.text, err)
		}
		if err == nil && got.String() != tt.text {
			t.Errorf("%q reads back as %q", tt.text, got)
		}
	}
}

func TestPrincipal(t *testing.T) {
	id := Identity{TrustDomain: "td", Namespace: "ns", ServiceAccount: "sa"}
	if got := id.Principal(); got != "td/ns/ns/sa/sa" {
		t.Errorf("principal %q", got)
	}
	if id.IsZero() || !(Identity{}).IsZero() {
		t.Error("IsZero")
	}
}

func TestWorkloadInfo(t *testing.T) {
	for _, tt := range []struct {
		text string
		want WorkloadInfo
		ok   bool
	}{
		{"default/web-0/web", WorkloadInfo{Name: "web-0", Namespace: "default", ServiceAccount: "web"}, true},
		{"default/web-0/web/more", WorkloadInfo{Name: "web-0", Namespace: "default", ServiceAccount: "web/more"}, true},
		{"//", WorkloadInfo{}, true},
		{"default/web-0", WorkloadInfo{}, false},
		{"", WorkloadInfo{}, false},
	} {
		got, err := ParseWorkloadInfo(tt.text)
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("%q: %+v, %v: want %+v", tt.text, got, err, tt.want)
		}
	}
	info := WorkloadInfo{Name: "web-0", Namespace: "default", ServiceAccount: "web"}
	if got := info.String(); got != "web.default (web-0)" {
		t.Errorf("text %q", got)
	}
	w := &Workload{Name: "web-0", Namespace: "default", ServiceAccount: "web", TrustDomain: "td"}
	if !info.Matches(w) || w.Info() != info {
		t.Error("the workload's own info does not match it")
	}
	for _, other := range []WorkloadInfo{
		{Name: "web-1", Namespace: "default", ServiceAccount: "web"},
		{Name: "web-0", Namespace: "other", ServiceAccount: "web"},
		{Name: "web-0", Namespace: "default", ServiceAccount: "other"},
	} {
		if other.Matches(w) {
			t.Errorf("%+v matches %v", other, w)
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	f.Add("spiffe://cluster.local/ns/default/sa/web")
	f.Add("spiffe:///ns//sa/")
	f.Add("spiffe://a/b/c/d/e")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseIdentity(s)
		if err != nil {
			if !id.IsZero() {
				t.Fatal("an identity beside an error")
			}
			return
		}
		if id.String() != s {
			t.Fatalf("%q reads back as %q", s, id)
		}
		if strings.Contains(id.TrustDomain+id.Namespace+id.ServiceAccount, "/") {
			t.Fatalf("%q has a slash in a part: %+v", s, id)
		}
	})
}
