package dedicated

import (
	"encoding/json"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/product"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// revoking is a client and a server, one of which heeds a file of revocation lists.
type revoking struct {
	*world
	client, server *member
	path           string
}

// newRevoking has who heed a file that has nothing in it yet.
func newRevoking(t *testing.T, who string) *revoking {
	t.Helper()
	r := &revoking{world: newWorld(t), path: filepath.Join(t.TempDir(), "ca-crl.pem")}
	r.write(nil)
	options := map[string][]option{who: {withEnv("CRL_PATH", r.path)}}
	r.client, r.server = r.pod("client", localNode, options["client"]...), r.pod("server", localNode, options["server"]...)
	r.start()
	r.server.app.Listen(":8080", agent.Double)
	return r
}

// write replaces the file in one step, as a mount of Kubernetes does.
func (r *revoking) write(content []byte) {
	r.t.Helper()
	next := r.path + ".next"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(next, r.path); err != nil {
		r.t.Fatal(err)
	}
}

// revoke puts the member's certificate on the list of the authority that all proxies share.
func (r *revoking) revoke(m *member) {
	r.t.Helper()
	authority, err := mtls.SharedAuthority(r.caDir, mtls.AuthorityOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	list, err := authority.RevocationList(m.serialNumber(r.t))
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(list)
}

// serialNumber is that of the certificate that the member's proxy shows.
func (m *member) serialNumber(t *testing.T) *big.Int {
	t.Helper()
	var dump struct {
		Certificates []struct {
			Identity  string
			CertChain []struct{ SerialNumber string }
		}
	}
	if err := json.Unmarshal([]byte(m.proxy.Admin(http.MethodGet, "/config_dump")), &dump); err != nil {
		t.Fatal(err)
	}
	for _, c := range dump.Certificates {
		if c.Identity == m.identity() && len(c.CertChain) > 0 {
			if n, ok := new(big.Int).SetString(c.CertChain[0].SerialNumber, 10); ok {
				return n
			}
		}
	}
	t.Fatalf("%s shows no certificate of its own: %+v", m.Name, dump)
	return nil
}

func (r *revoking) dial() *agent.Conn {
	return r.client.app.Dial(r.server.at(r.server.IPv4, serverPort))
}

// open is a connection that works.
func (r *revoking) open() *agent.Conn {
	r.t.Helper()
	c := r.dial()
	c.Write(hello)
	c.Expect(helloTwice)
	return c
}

// rejected is the metric.
func rejected(p *product.Proxy, reporter string) {
	p.ExpectSum("istio_crl_policy_rejections_total", product.Labels{"reporter": reporter}, 1)
}

// TestRevokedCertificates is the reference's four crl_ tests: who is revoked loses what is open and gets nothing new.
func TestRevokedCertificates(t *testing.T) {
	for name, test := range map[string]struct {
		heeds, reporter string
		revoked         func(r *revoking) *member
		heeding         func(r *revoking) *member
	}{
		"inbound": {
			"server", "destination", func(r *revoking) *member { return r.client }, func(r *revoking) *member { return r.server },
		},
		"outbound": {
			"client", "source", func(r *revoking) *member { return r.server }, func(r *revoking) *member { return r.client },
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRevoking(t, test.heeds)
			c := r.open()
			r.revoke(test.revoked(r))
			if got, end := c.ReadAll(); got != "" || end != agent.EndReset && end != agent.EndEOF {
				t.Errorf("the client read %q and the end %q, want to be cut off", got, end)
			}
			rejected(test.heeding(r).proxy, test.reporter)
			test.heeding(r).proxy.ExpectAccess(product.Fields{"error": "connection closed: peer certificate revoked by CRL"})
			conn := r.dial()
			if err := conn.TryWrite(hello); err == nil {
				if got, end := conn.ReadAll(); got != "" || end != agent.EndReset && end != agent.EndEOF {
					t.Errorf("a new connection read %q and the end %q, want to be refused", got, end)
				}
			}
			test.heeding(r).proxy.ExpectSum("istio_crl_policy_rejections_total", product.Labels{"reporter": test.reporter}, 2)
			r.write(nil) // an empty file pardons everybody
			test.heeding(r).proxy.ExpectSum("troupe_revocation_lists_total", product.Labels{"result": "loaded"}, 2)
			again := r.open()
			again.CloseWrite()
			again.ExpectEnd(agent.EndEOF)
		})
	}
}
