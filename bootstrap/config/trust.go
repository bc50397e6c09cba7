package config

import (
	"encoding/json"

	"github.com/troupe-mesh/troupe/transport/grpcdial"
)

// Where the reference's pods keep their root certificate and their token.
const (
	defaultRootCert = "./var/run/secrets/istio/root-cert.pem"
	defaultToken    = "./var/run/secrets/tokens/istio-token"
	systemRoots     = "SYSTEM"
)

// RootCert says which roots verify a control-plane server: a file, the system's, or PEM text.
type RootCert struct {
	// File is a path; it is watched by those who use it.
	File string
	// System says that the operating system's roots are meant.
	System bool
	// PEM is the text where neither applies. The path of a file that does not exist ends up here too, and then yields no
	// root at all: see Config.Warnings.
	PEM string
}

// MarshalJSON is the dump's form: {"File":path}, "Static" or "Default"; the text is not shown.
func (r RootCert) MarshalJSON() ([]byte, error) {
	switch {
	case r.File != "":
		return json.Marshal(map[string]string{"File": r.File})
	case r.System:
		return json.Marshal("Default")
	}
	return json.Marshal("Static")
}

func (l *loader) rootCert(name string) RootCert {
	v := l.env.text(name, defaultRootCert)
	switch {
	case l.host.Exists(v):
		return RootCert{File: v}
	case v == systemRoots:
		return RootCert{System: true}
	}
	if v == defaultRootCert {
		return RootCert{PEM: ""}
	}
	return RootCert{PEM: v}
}

// AuthToken says how calls to the control plane are authenticated: by a token file that is read for every call, by a
// fixed token, or not at all.
type AuthToken struct {
	// File is the path of the token file.
	File string
	// Static is a fixed token, used when HasStatic.
	Static    string
	HasStatic bool
}

func (l *loader) authToken() AuthToken {
	v, ok := l.env.lookup("AUTH_TOKEN")
	switch {
	case !ok && l.host.Exists(defaultToken):
		return AuthToken{File: defaultToken}
	case !ok:
		return AuthToken{}
	case l.host.Exists(v):
		return AuthToken{File: v}
	}
	return AuthToken{Static: v, HasStatic: true}
}

// Dialed is the same for those who connect. The default file counts even where it does not exist yet: it is looked at again
// for each connection, and its absence is an error that names it.
func (r RootCert) Dialed() grpcdial.Roots {
	if r == (RootCert{}) {
		return grpcdial.Roots{File: defaultRootCert}
	}
	return grpcdial.Roots{File: r.File, System: r.System, PEM: r.PEM}
}

// Dialed is the same for those who connect.
func (t AuthToken) Dialed() grpcdial.Token { return grpcdial.Token{File: t.File, Static: t.Static} }
