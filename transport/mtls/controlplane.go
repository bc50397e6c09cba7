package mtls

import "crypto/tls"

// ControlPlane is the start of a configuration for the client of a control-plane server: the versions, suites and groups
// of node proxies (spec/control.md §2.2). It verifies nobody yet: the caller adds the roots and the server's name.
func (o Options) ControlPlane() *tls.Config { return o.base(groupsAll) }
