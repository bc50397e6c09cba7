package inpod

import (
	"os"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/product"
)

func TestMain(m *testing.M) {
	agent.Main()
	os.Exit(product.Main(m))
}
