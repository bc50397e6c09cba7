package version

import (
	"encoding/json"
	"errors"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

func TestLine(t *testing.T) {
	line := Build("1.31.0").String()
	form := `^version\.BuildInfo\{Version:"[^"]+", GitRevision:"[^"]+", RustVersion:"go[^"]+", BuildProfile:"(release|debug)", ` +
		`BuildStatus:"(Clean|Modified)", IstioVersion:"1\.31\.0", CryptoProvider:"tls-go(-fips140-[^"]+)?"\}$`
	if !regexp.MustCompile(form).MatchString(line) {
		t.Errorf("got %s", line)
	}
	if got := Build("").IstioVersion; got != "unknown" {
		t.Errorf("got Istio version %q", got)
	}
}

func TestRead(t *testing.T) {
	b := BuildInfo{GitRevision: unknown, BuildProfile: "release", BuildStatus: "Clean"}
	b.read([]debug.BuildSetting{{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.modified", Value: "true"}, {Key: "-race", Value: "true"}})
	if b.GitRevision != "0123abc-dirty" || b.BuildStatus != "Modified" || b.BuildProfile != "debug" {
		t.Errorf("got %+v", b)
	}
}

func TestJSONKeys(t *testing.T) {
	text, err := json.Marshal(Build("x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"version", "gitRevision", "rustVersion", "buildProfile", "buildStatus", "istioVersion", "cryptoProvider"} {
		if !strings.Contains(string(text), `"`+key+`":`) {
			t.Errorf("no %s in %s", key, text)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestHelp(t *testing.T) {
	var text strings.Builder
	if err := Build("").Help(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text.String(), "\nTroupe (version.BuildInfo{") {
		t.Errorf("got %q", text.String())
	}
	for _, c := range Commands() {
		if !strings.Contains(text.String(), c.Name) || c.Text == "" {
			t.Errorf("no %s", c.Name)
		}
	}
	if err := Build("").Help(broken{}); err == nil {
		t.Error("a failed write is silent")
	}
}
