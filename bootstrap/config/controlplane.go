package config

import (
	"errors"
	"time"
)

var (
	errOnDemandDNS = errors.New("DNS proxy does not currently support on-demand mode; " +
		"set XDS_ON_DEMAND=false or ISTIO_META_DNS_CAPTURE=false")
	errNoServers = errors.New("ztunnel run without any servers enabled; " +
		"set ENABLE_PROXY=true or leave ISTIO_META_DNS_CAPTURE unset")
)

// controlPlane reads where state and certificates come from.
func (l *loader) controlPlane(pc *proxyConfig) {
	c, e := l.cfg, l.env
	istiod := defaultLocalIstiod
	if e.isSet("KUBERNETES_SERVICE_HOST") {
		istiod = defaultClusterIstiod
	}
	discovery := istiod
	if pc.DiscoveryAddress != nil {
		discovery = *pc.DiscoveryAddress
	}
	c.XDSAddress = l.uri("XDS_ADDRESS", discovery)
	c.FakeCA = e.boolean("FAKE_CA", false)
	c.FakeCADir = e.text("FAKE_CA_DIR", "")
	if c.FakeCADir != "" && !c.FakeCA {
		e.conflict("FAKE_CA_DIR=" + c.FakeCADir + " is set without FAKE_CA=true; set FAKE_CA=true or unset FAKE_CA_DIR")
	}
	if !c.FakeCA {
		c.CAAddress = l.uri("CA_ADDRESS", istiod)
		if c.CAAddress == "" && e.text("CA_ADDRESS", istiod) == "" {
			e.reject("CA_ADDRESS", "ca_address must be set to use CA; write https://host:port, or set FAKE_CA=true to try out")
		}
	}
	c.XDSRootCert = l.rootCert("XDS_ROOT_CA")
	c.CARootCert = l.rootCert("CA_ROOT_CA")
	l.warnNoRoots()
	c.AltXDSHostname = e.optional("ALT_XDS_HOSTNAME")
	c.AltCAHostname = e.optional("ALT_CA_HOSTNAME")
	c.XDSHeaders = e.headers("XDS_HEADER_")
	c.CAHeaders = e.headers("CA_HEADER_")
	c.Auth = l.authToken()
	c.XDSOnDemand = e.boolean("XDS_ON_DEMAND", false)
	c.LocalXDSPath = e.text("LOCAL_XDS_PATH", "")
	c.LocalXDS = e.text("LOCAL_XDS", "")
	if e.isSet("LOCAL_XDS_PATH") && e.isSet("LOCAL_XDS") {
		e.conflict("only one of LOCAL_XDS_PATH or LOCAL_XDS may be set; unset one of them")
	}
	c.PreferredServiceNamespace = e.optional("PREFERED_SERVICE_NAMESPACE")
	c.SecretTTL = e.duration("SECRET_TTL", 24*time.Hour)
	c.CRLPath = e.text("CRL_PATH", "")
	c.TLS12Enabled = e.text("TLS12_ENABLED", "") == "true"
	c.CompliancePQC = e.text("COMPLIANCE_POLICY", "") == "pqc"
}

// uri reads a control-plane address.
func (l *loader) uri(name, unset string) string {
	raw := l.env.text(name, unset)
	normal, err := normaliseURI(raw)
	switch {
	case err == nil:
	case l.env.isSet(name):
		l.env.reject(name, err.Error())
	default:
		l.reject(&ProxyConfigError{&VarError{Name: "discoveryAddress", Value: raw, Reason: err.Error()}})
	}
	return normal
}

// warnNoRoots says that nothing can be verified: a missing file is no error, since it may be mounted late.
func (l *loader) warnNoRoots() {
	c := l.cfg
	if c.XDSAddress != "" && c.XDSRootCert == (RootCert{}) {
		l.env.warn("XDS_ROOT_CA: " + defaultRootCert + " does not exist yet; the xDS server can't be verified")
	}
	if c.CAAddress != "" && c.CARootCert == (RootCert{}) {
		l.env.warn("CA_ROOT_CA: " + defaultRootCert + " does not exist yet; the CA can't be verified")
	}
}

// optional is a string variable that may be unset: nil.
func (e *environment) optional(name string) *string {
	if v, ok := e.vars[name]; ok {
		return &v
	}
	return nil
}
