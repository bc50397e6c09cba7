package matrix

import (
	"reflect"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestMatrix breaks every actor in every way and holds what users see against the table.
func TestMatrix(t *testing.T) {
	known := map[string]bool{}
	for _, r := range Rows() {
		known[r.Role] = true
	}
	for _, row := range Rows() {
		for _, f := range Faults() {
			cell, is := row.Cells[f]
			if cell.Test != "" {
				continue
			}
			if cell.Heals == Never {
				t.Errorf("%s, %s: the table has it that it does not heal", heading(&row), f)
			}
			t.Run(heading(&row)+"/"+f.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newScene(t, &row)
					defer s.World.Close()
					seen := s.play(f)
					s.verify()
					if !is || !reflect.DeepEqual(seen, cell.Seen) {
						t.Errorf("the table says: %s\nseen: %s\nas code: %s: %s", cell, seen, faultNames[f], code(seen))
					}
					for _, role := range s.roles() {
						if !known[role] {
							t.Errorf("role %q has no row in the matrix", role)
						}
					}
				})
			})
		}
	}
}
