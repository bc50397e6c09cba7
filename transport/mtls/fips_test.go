package mtls

import (
	"crypto/fips140"
	"crypto/tls"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

// TestFIPSMode runs itself anew with Go's FIPS 140-3 mode on, as a build with GOFIPS140 is by default: handshakes work, with
// what the standard approves of only.
func TestFIPSMode(t *testing.T) {
	if !fips140.Enabled() {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		again := exec.CommandContext(t.Context(), self, "-test.run=^TestFIPSMode$", "-test.v")
		again.Env = append(os.Environ(), "GODEBUG=fips140=on")
		out, err := again.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "in FIPS mode") {
			t.Fatalf("in FIPS mode: %v\n%s", err, out)
		}
		return
	}
	t.Log("in FIPS mode")
	root := newRoot(t, "root", nil)
	client, server := workload(t, root, alice), workload(t, root, bob)
	for name, o := range map[string]Options{"default": {}, "TLS 1.2": {TLS12: true}, "post-quantum": {PQC: true}} {
		shaken := handshake(t, client.ClientConfig([]messages.Identity{bob}, o), server.ServerConfig(o))
		if !shaken.ok() {
			t.Errorf("%s: %v", name, shaken.err())
			continue
		}
		s := shaken.clientState
		if s.CipherSuite != tls.TLS_AES_128_GCM_SHA256 && s.CipherSuite != tls.TLS_AES_256_GCM_SHA384 {
			t.Errorf("%s: suite %s", name, tls.CipherSuiteName(s.CipherSuite))
		}
		if s.CurveID == tls.X25519 || o.PQC != (s.CurveID == tls.X25519MLKEM768) {
			t.Errorf("%s: group %s", name, s.CurveID)
		}
	}
	if a, err := NewAuthority(AuthorityOptions{}); err != nil {
		t.Error(err)
	} else if csr, _, err := NewCSR(alice); err != nil {
		t.Error(err)
	} else if _, err := a.Issue(csr); err != nil {
		t.Error(err)
	}
	own := &tls.Config{MaxVersion: tls.VersionTLS13, InsecureSkipVerify: true, Certificates: []tls.Certificate{client.pair}, CurvePreferences: []tls.CurveID{tls.X25519}}
	if shaken := handshake(t, own, server.ServerConfig(Options{})); shaken.ok() {
		t.Error("a group that is not approved was agreed on")
	}
}
