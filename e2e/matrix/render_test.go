package matrix

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write MATRIX.md anew")

// TestMatrixIsWritten holds MATRIX.md to the rows.
func TestMatrixIsWritten(t *testing.T) {
	const file = "MATRIX.md"
	want := Render(Rows())
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the rows say: go test ./e2e/matrix -update", file)
	}
}
