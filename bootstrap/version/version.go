// Package version says which build this is, in the reference's form (spec/ops.md §2.1), and what the command line of the
// node is.
package version

import (
	"crypto/fips140"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
)

// Set by the linker for a release: -X github.com/troupe-mesh/troupe/bootstrap/version.release=1.2.3.
var release = ""

const unknown = "unknown"

// BuildInfo is what the build knows of itself. The field names are the reference's: RustVersion is the compiler's
// version, whatever the language.
type BuildInfo struct {
	Version        string `json:"version"`
	GitRevision    string `json:"gitRevision"`
	RustVersion    string `json:"rustVersion"`
	BuildProfile   string `json:"buildProfile"`
	BuildStatus    string `json:"buildStatus"` // Clean or Modified
	IstioVersion   string `json:"istioVersion"`
	CryptoProvider string `json:"cryptoProvider"`
}

// Build reads the information that the compiler put into the binary. istioVersion is the configuration's; empty means
// unknown.
func Build(istioVersion string) BuildInfo {
	b := BuildInfo{
		Version: release, GitRevision: unknown, RustVersion: runtime.Version(), BuildProfile: "release",
		BuildStatus: "Clean", IstioVersion: istioVersion, CryptoProvider: cryptoProvider(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.read(info.Settings)
	}
	if b.Version == "" {
		b.Version = b.GitRevision
	}
	if b.IstioVersion == "" {
		b.IstioVersion = unknown
	}
	return b
}

// cryptoProvider names Go's own cryptography, and the FIPS 140-3 module where that is in force (GOFIPS140 at build time).
func cryptoProvider() string {
	if fips140.Enabled() {
		return "tls-go-fips140-" + fips140.Version()
	}
	return "tls-go"
}

func (b *BuildInfo) read(settings []debug.BuildSetting) {
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			b.GitRevision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			b.BuildStatus = "Modified"
		case s.Key == "-gcflags" && strings.Contains(s.Value, "-N"), s.Key == "-race" && s.Value == "true":
			b.BuildProfile = "debug"
		}
	}
	if b.BuildStatus == "Modified" && b.GitRevision != unknown {
		b.GitRevision += "-dirty"
	}
}

// String is the one line of the version command and of the start log.
func (b BuildInfo) String() string {
	return fmt.Sprintf("version.BuildInfo{Version:%q, GitRevision:%q, RustVersion:%q, BuildProfile:%q, BuildStatus:%q, "+
		"IstioVersion:%q, CryptoProvider:%q}", b.Version, b.GitRevision, b.RustVersion, b.BuildProfile, b.BuildStatus,
		b.IstioVersion, b.CryptoProvider)
}

// Command is one sub-command of the node.
type Command struct {
	Name, Text string
}

// Commands are the sub-commands, the default first.
func Commands() []Command {
	return []Command{
		{"proxy", "Start the node proxy (also without any command)"},
		{"demo", "Start two nodes and two applications on this machine, send traffic through them and show its traces"},
		{"config", "Print every setting that is in force, and where it comes from; exit 1 when the proxy would not start with it"},
		{"version", "Print the version"},
		{"help", "Print this text"},
	}
}

// Help writes the text of the help command.
func (b BuildInfo) Help(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\nTroupe (%s)\n\nCommands:\n", b)
	for _, c := range Commands() {
		fmt.Fprintf(&text, "  %-8s %s\n", c.Name, c.Text)
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("write help: %w", err)
	}
	return nil
}
