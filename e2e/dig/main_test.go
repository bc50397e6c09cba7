package dig

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-mesh/troupe/e2e/product"
)

func TestMain(m *testing.M) {
	code := product.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
