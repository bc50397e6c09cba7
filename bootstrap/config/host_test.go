package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestThisHost(t *testing.T) {
	h := ThisHost()
	path := filepath.Join(t.TempDir(), "token")
	if h.CPUs < 1 || h.Exists(path) || h.Exists("") || h.Exists(strings.Repeat("PEM text", 1000)) {
		t.Errorf("%d processors, or something exists that does not", h.CPUs)
	}
	if err := os.WriteFile(path, []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load([]string{"AUTH_TOKEN=" + path}, nil, h)
	if err != nil || c.Auth.File != path {
		t.Errorf("got %v, %v", c, err)
	}
}
