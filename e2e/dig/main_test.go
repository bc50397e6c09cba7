package dig

import (
	"os"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/product"
)

func TestMain(m *testing.M) {
	os.Exit(product.Main(m))
}
