package grpcdial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestTokenIsTrimmedAndReadAnew(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	token := Token{File: file}
	for _, content := range []string{"first", "second\n", "\r\n third \n"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := token.Read(); err != nil || got != strings.TrimSpace(content) {
			t.Errorf("%q: %q, %v", content, got, err)
		}
	}
	if got, err := (Token{Static: " literal\n"}).Read(); err != nil || got != "literal" {
		t.Errorf("literal: %q, %v", got, err)
	}
}

func TestTokenThatIsNone(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"empty": "", "blank": " \n\t", "two lines": "a\nb", "control": "a\x00b", "not ascii": "tökn", "huge": strings.Repeat("x", maxToken+1),
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Token{File: file}.Read()
		if err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, want an error that names the file", name, err)
		}
		if content != "" && len(content) < 100 && strings.TrimSpace(content) != "" && err != nil && strings.Contains(err.Error(), content) {
			t.Errorf("%s: the error shows the token: %v", name, err)
		}
	}
	missing := filepath.Join(dir, "missing")
	if _, err := (Token{File: missing}).Read(); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing file: %v", err)
	}
}

func TestHeadersOfACall(t *testing.T) {
	c := &perCall{cluster: "Kubernetes", headers: []Header{{"authorization", "mine"}, {"x_extra", "1"}}}
	got, err := c.GetRequestMetadata(t.Context())
	if err != nil || len(got) != 2 || got["authorization"] != "mine" || got["x_extra"] != "1" {
		t.Errorf("without a token: %v, %v", got, err)
	}
	c.token = Token{Static: "abc"}
	got, err = c.GetRequestMetadata(t.Context())
	if err != nil || got["authorization"] != "Bearer abc" || got["clusterid"] != "Kubernetes" || got["x_extra"] != "1" {
		t.Errorf("with a token: %v, %v", got, err)
	}
	c.token = Token{File: "/nonexistent/token"}
	if _, err = c.GetRequestMetadata(t.Context()); status.Code(err) != codes.Unauthenticated {
		t.Errorf("unreadable token: %v", err)
	}
	if !c.RequireTransportSecurity() {
		t.Error("the token may go out in clear")
	}
}
