package matrix

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// TestEveryRoleHasARow finds the roles of actors in the source.
func TestEveryRoleHasARow(t *testing.T) {
	roles, wrong := scan(os.DirFS("../.."))
	for _, w := range wrong {
		t.Error(w)
	}
	if len(roles) < 18 {
		t.Errorf("only %d roles were found: %q", len(roles), roles)
	}
	for _, w := range uncovered(roles, Rows()) {
		t.Error(w)
	}
}

// uncovered says which roles have no row, and which rows and cells are wanting.
func uncovered(roles []string, rows []Row) []string {
	var wrong []string
	has := map[string]bool{}
	seen := map[string]bool{}
	for i := range rows {
		r := &rows[i]
		has[r.Role] = true
		if !slices.Contains(roles, r.Role) {
			wrong = append(wrong, fmt.Sprintf("%s: no actor has this role", r.title()))
		}
		if name := heading(r); seen[name] {
			wrong = append(wrong, name+": is there twice")
		} else {
			seen[name] = true
		}
		for _, f := range Faults() {
			if _, is := r.Cells[f]; !is {
				wrong = append(wrong, fmt.Sprintf("%s: has no cell for %q", r.title(), f))
			}
		}
	}
	for _, role := range roles {
		if !has[role] {
			wrong = append(wrong, fmt.Sprintf("role %q has no row in the fault matrix: see the package's description", role))
		}
	}
	return wrong
}

// scan finds the values of the constants Role and Role… in the packages of actors, and whatever else a kit.Spec takes
// its role from.
func scan(module fs.FS) (roles, wrong []string) {
	found := map[string]bool{}
	for _, room := range []string{"actors", "bootstrap"} {
		err := fs.WalkDir(module, room, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
				return err
			}
			source, err := fs.ReadFile(module, name)
			if err != nil {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ValueSpec:
					for _, role := range constants(n) {
						found[role] = true
					}
				case *ast.CompositeLit:
					if role := roleOf(n); role != nil && !isNamed(role) {
						wrong = append(wrong, fmt.Sprintf("%s: the role of a kit.Spec must be a constant Role…, so that it can't be forgotten", name))
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	for role := range found {
		roles = append(roles, role)
	}
	slices.Sort(roles)
	return roles, wrong
}

// constants are the roles that a declaration names.
func constants(n *ast.ValueSpec) []string {
	var roles []string
	for i, name := range n.Names {
		if !strings.HasPrefix(name.Name, "Role") || i >= len(n.Values) {
			continue
		}
		if lit, ok := n.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if role, err := strconv.Unquote(lit.Value); err == nil {
				roles = append(roles, role)
			}
		}
	}
	return roles
}

// roleOf is the role of a kit.Spec, nil for other literals.
func roleOf(n *ast.CompositeLit) ast.Expr {
	of, ok := n.Type.(*ast.SelectorExpr)
	if !ok || of.Sel.Name != "Spec" {
		return nil
	}
	if pkg, ok := of.X.(*ast.Ident); !ok || pkg.Name != "kit" {
		return nil
	}
	for _, e := range n.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Role" {
				return kv.Value
			}
		}
	}
	return nil
}

// isNamed says that a role is a constant Role…, or a parameter role, which the nodes that run show.
func isNamed(role ast.Expr) bool {
	switch role := role.(type) {
	case *ast.Ident:
		return role.Name == "role" || strings.HasPrefix(role.Name, "Role")
	case *ast.SelectorExpr:
		return strings.HasPrefix(role.Sel.Name, "Role")
	default:
		return false
	}
}

func TestScanFindsRoles(t *testing.T) {
	module := fstest.MapFS{
		"actors/a/a.go": {Data: []byte(`package a
const RoleA = "a"
const (
	Role  = "b"
	other = "no"
)
func Spec() kit.Spec { return kit.Spec{Role: RoleA} }
func spec(role string) kit.Spec { return kit.Spec{Role: role} }
`)},
		"actors/b/b.go":      {Data: []byte("package b\nvar s = kit.Spec{Role: \"hidden\"}\nvar t = kit.Target{Role: \"fine\"}\n")},
		"actors/b/b_test.go": {Data: []byte("package b\nconst RoleT = \"test\"\n")},
		"bootstrap/c/c.go":   {Data: []byte("package c\nvar s = kit.Spec{Role: a.RoleA}\nvar u = kit.Spec{Role: \"x\" + y}\n")},
	}
	roles, wrong := scan(module)
	if want := []string{"a", "b"}; !slices.Equal(roles, want) {
		t.Errorf("found %q, want %q", roles, want)
	}
	if len(wrong) != 2 || !strings.HasPrefix(wrong[0], "actors/b/b.go") || !strings.HasPrefix(wrong[1], "bootstrap/c/c.go") {
		t.Errorf("complaints: %q", wrong)
	}
}

func TestUncovered(t *testing.T) {
	whole := cells{PanicOnce: quiet, CrashLoop: quiet, Drop: quiet, Delay: quiet, Duplicate: quiet, LoseReply: quiet}
	row := Row{Role: "a", Cells: whole}
	for name, test := range map[string]struct {
		rows []Row
		want []string
	}{
		"whole":   {[]Row{row, {Role: "b", Cells: whole}}, nil},
		"no row":  {[]Row{row}, []string{`role "b" has no row`}},
		"no role": {[]Row{row, {Role: "b", Cells: whole}, {Role: "c", Cells: whole}}, []string{"c over : no actor"}},
		"twice":   {[]Row{row, row, {Role: "b", Cells: whole}}, []string{"a over  at the client: is there twice"}},
		"no cell": {[]Row{row, {Role: "b", Cells: cells{Drop: quiet}}}, []string{"b over : has no cell", "b over : has no cell", "b over : has no cell", "b over : has no cell", "b over : has no cell"}},
		"elsewhere": {[]Row{row, {Role: "b", Cells: cells{
			PanicOnce: elsewhere("a/b.TestX", "all is well"), CrashLoop: quiet, Drop: quiet, Delay: quiet, Duplicate: quiet, LoseReply: quiet,
		}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := uncovered([]string{"a", "b"}, test.rows); !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("complaints: %q, want %q", got, test.want)
			}
		})
	}
}

// TestElsewhereExists looks for the tests that prove what the bubble can't.
func TestElsewhereExists(t *testing.T) {
	for _, r := range Rows() {
		for f, c := range r.Cells {
			if c.Test == "" {
				continue
			}
			dir, test := path.Split(strings.Replace(c.Test, ".Test", "/Test", 1))
			if c.Says == "" || !declares(os.DirFS("../.."), path.Clean(dir), test) {
				t.Errorf("%s, %s: there is no %s, or it is not said what it shows", r.title(), f, c.Test)
			}
		}
	}
}

func declares(module fs.FS, dir, test string) bool {
	files, err := fs.Glob(module, path.Join(dir, "*_test.go"))
	if err != nil {
		return false
	}
	for _, name := range files {
		source, err := fs.ReadFile(module, name)
		if err == nil && strings.Contains(string(source), "\nfunc "+test+"(t *testing.T)") {
			return true
		}
	}
	return false
}
