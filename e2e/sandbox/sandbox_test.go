package sandbox_test

import (
	"net"
	"os"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/sandbox"
)

const outer = "TROUPE_E2E_OUTER_NETNS"

func TestMain(m *testing.M) {
	code := sandbox.Main(m, func() ([]string, error) {
		ns, err := os.Readlink("/proc/thread-self/ns/net")
		return []string{outer + "=" + ns}, err
	})
	os.Exit(code)
}

func TestRunsInANetworkNamespaceOfItsOwn(t *testing.T) {
	sandbox.Require(t)
	mine, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if theirs := os.Getenv(outer); theirs == "" || theirs == mine {
		t.Fatalf("inside %q, outside %q: want two different namespaces", mine, theirs)
	}
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if link.Flags&net.FlagLoopback == 0 && link.Flags&net.FlagUp != 0 {
			t.Errorf("interface %s is up in what should be an empty namespace", link.Name)
		}
	}
}

func TestIsRootInside(t *testing.T) {
	sandbox.Require(t)
	if uid := os.Getuid(); uid != 0 {
		t.Errorf("uid %d inside, want 0", uid)
	}
}
