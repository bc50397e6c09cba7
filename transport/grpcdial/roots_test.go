package grpcdial

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func rootPEM(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestRoots(t *testing.T) {
	root := rootPEM(t)
	broken := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("not DER")}))
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		roots Roots
		want  int
		wrong string
	}{
		"a file":                  {Roots{File: file("one", root)}, 1, ""},
		"text":                    {Roots{PEM: root}, 1, ""},
		"two, and one is damaged": {Roots{File: file("three", root+broken+rootPEM(t))}, 2, ""},
		"only a damaged one":      {Roots{PEM: broken}, 0, ""},
		"the file is missing":     {Roots{File: filepath.Join(dir, "missing")}, 0, "missing: no such file"},
		"the file is a directory": {Roots{File: dir}, 0, "is a directory"},
		"the file has no PEM":     {Roots{File: file("empty", "nothing")}, 0, "no certificate in PEM form"},
		"the file is too big":     {Roots{File: file("big", strings.Repeat("x", maxRoots+1))}, 0, "more than"},
		"nothing":                 {Roots{}, 0, "the roots given as text: there is no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			pool, err := test.roots.Pool()
			if test.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("error %v, want %q", err, test.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := len(pool.Subjects()); got != test.want { //nolint:staticcheck // the pool is not the system's
				t.Errorf("%d certificates, want %d", got, test.want)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string][2]string{
		"https://istiod.istio-system.svc:15012": {"istiod.istio-system.svc", "istiod.istio-system.svc:15012"},
		"https://istiod":                        {"istiod", "istiod:443"},
		"https://10.0.0.1:15012":                {"10.0.0.1", "10.0.0.1:15012"},
		"https://[fd00::1]:15012":               {"fd00::1", "[fd00::1]:15012"},
	} {
		host, hostPort, err := splitAddress(address)
		if err != nil || host != want[0] || hostPort != want[1] {
			t.Errorf("%s: %q %q %v", address, host, hostPort, err)
		}
	}
	for address, want := range map[string]string{
		"http://istiod:15012": "not an https:// one", "istiod:15012": "not an https:// one", "https://": "names no host", "https://[": "missing ']'",
	} {
		if _, err := Dial(Config{Address: address}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}
