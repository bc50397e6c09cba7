package inpod

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

// TestRevokedCertificates is the reference's four crl_ tests for the pods of a node: who is revoked loses what is open and gets
// nothing new, by either family; a pod of the same node that is not revoked suffers nothing.
func TestRevokedCertificates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ heeds, reporter, revoked string }{
		"inbound": {remoteNode, "destination", "client"}, "outbound": {localNode, "source", "server"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting until the file is read again: both wait at once
			w := newWorld(t)
			lists := filepath.Join(t.TempDir(), "ca-crl.pem")
			replace(t, lists, nil)
			w.nodes[c.heeds].env["CRL_PATH"] = lists
			client, server := w.pod("client", localNode), w.pod("server", remoteNode)
			other, spare := w.pod("other", localNode), w.pod("spare", remoteNode)
			w.start()
			server.app.Listen(":8080", agent.Double)
			spare.app.Listen(":8080", agent.Double)
			open, kept := converse(client, server), converse(other, spare)

			replace(t, lists, w.revocationOf(map[string]*member{"client": client, "server": server}[c.revoked]))
			open.expectCut(t)
			expectNothing(t, client, server)
			proxy := w.nodes[c.heeds].proxy
			proxy.ExpectAccess(product.Fields{"level": "error", "error": "connection closed: peer certificate revoked by CRL"})
			if n := proxy.Metrics().Sum("istio_crl_policy_rejections_total", product.Labels{"reporter": c.reporter}); n < 1 {
				t.Errorf("%v rejections are counted", n)
			}
			kept.goOn()
			talkByBoth(other, spare)

			replace(t, lists, nil) // an empty file pardons everybody
			proxy.ExpectSum("troupe_revocation_lists_total", product.Labels{"result": "loaded"}, 2)
			talkByBoth(client, server)
			for _, c := range kept {
				c.Close()
			}
		})
	}
}

// replace replaces a file in one step, as a mount of Kubernetes does.
func replace(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".next", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		t.Fatal(err)
	}
}

// revocationOf is a list with the certificate that a pod's proxy shows, of the authority that all proxies share.
func (w *world) revocationOf(m *member) []byte {
	w.t.Helper()
	var dump struct {
		Certificates []struct {
			Identity  string
			CertChain []struct{ SerialNumber string }
		}
	}
	if err := json.Unmarshal([]byte(m.node.proxy.Admin(http.MethodGet, "/config_dump")), &dump); err != nil {
		w.t.Fatal(err)
	}
	for _, c := range dump.Certificates {
		if c.Identity != m.identity() || len(c.CertChain) == 0 {
			continue
		}
		serial, ok := new(big.Int).SetString(c.CertChain[0].SerialNumber, 10)
		if !ok {
			break
		}
		authority, err := mtls.SharedAuthority(w.caDir, mtls.AuthorityOptions{})
		if err != nil {
			w.t.Fatal(err)
		}
		list, err := authority.RevocationList(serial)
		if err != nil {
			w.t.Fatal(err)
		}
		return list
	}
	w.t.Fatalf("no certificate of %s is shown: %+v", m.Name, dump)
	return nil
}
