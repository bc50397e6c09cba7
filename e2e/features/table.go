// Package features says which tests stand for which feature of the specification. The tables are checked: every feature
// has a row, every row names tests that exist or says who will build what is missing.
//
// To add an area (CP, OP), write its rows into a file of their own and its [Table] into [Tables].
package features

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// Table is one list of features: its rows are numbered from 1 to the last without gaps.
type Table struct {
	// Prefix is what the numbers follow: DP, CP, OP; D for the defects of the reference, E for the texts of errors; or what is numbered here because the specification does not.
	Prefix string
	// Last is the number of the specification's last row.
	Last int
	Rows []Row
}

// Row is one feature.
type Row struct {
	Number int
	// Feature is its name in the specification.
	Feature string
	// Tests are names such as "transport/socket.TestMark", separated by spaces. One that covers the feature as a whole
	// comes first.
	Tests string
	// Pending is what is missing, and where it will be built; empty when nothing is.
	Pending string
}

// Tables are all tables there are.
func Tables() []Table {
	return []Table{
		{Prefix: "DP", Last: 118, Rows: dataPlane},
		{Prefix: "CP", Last: 129, Rows: controlPlane},
		{Prefix: "OP", Last: 107, Rows: operations},
		{Prefix: "case of the control plane ", Last: 169, Rows: controlCases},
		{Prefix: "D", Last: 21, Rows: defects},
		{Prefix: "E", Last: 36, Rows: errorTexts},
	}
}

// Check says what is wrong with a table, given the module's files.
func (t Table) Check(module fs.FS) []string {
	var wrong []string
	complain := func(number int, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%s%d: %s", t.Prefix, number, fmt.Sprintf(format, args...)))
	}
	known := tree{module, map[string]map[string]bool{}}
	for i, r := range t.Rows {
		if r.Number != i+1 {
			complain(i+1, "the row in its place is %d", r.Number)
		}
		if r.Feature == "" {
			complain(r.Number, "has no name")
		}
		if r.Tests == "" && r.Pending == "" {
			complain(r.Number, "has neither a test nor a reason why not")
		}
		for _, missing := range known.missing(r.Tests) {
			complain(r.Number, "%s", missing)
		}
	}
	if len(t.Rows) != t.Last {
		complain(t.Last, "%d rows, want %d", len(t.Rows), t.Last)
	}
	return wrong
}

// Missing says which of the tests, named as in a [Row], a module does not have.
func Missing(module fs.FS, tests string) []string {
	if strings.TrimSpace(tests) == "" {
		return []string{"no test is named"}
	}
	return tree{module, map[string]map[string]bool{}}.missing(tests)
}

// tree is a module, and the tests of the packages that were asked for.
type tree struct {
	module   fs.FS
	packages map[string]map[string]bool
}

func (t tree) missing(tests string) []string {
	var missing []string
	for name := range strings.FieldsSeq(tests) {
		dir, test, ok := cut(name)
		if !ok {
			missing = append(missing, fmt.Sprintf("%q is not package.Test", name))
			continue
		}
		if t.packages[dir] == nil {
			t.packages[dir] = testsIn(t.module, dir)
		}
		if !t.packages[dir][test] {
			missing = append(missing, "there is no test "+name)
		}
	}
	return missing
}

// cut takes "package/path.TestName" apart.
func cut(name string) (dir, test string, ok bool) {
	at := strings.LastIndexByte(name, '.')
	if at < 0 {
		return "", "", false
	}
	dir, test = name[:at], name[at+1:]
	return dir, test, dir != "" && (strings.HasPrefix(test, "Test") || strings.HasPrefix(test, "Fuzz"))
}

// testsIn are the tests and fuzz targets of a package. A file that does not parse has none.
func testsIn(module fs.FS, dir string) map[string]bool {
	tests := map[string]bool{}
	files, err := fs.Glob(module, path.Join(dir, "*_test.go"))
	if err != nil {
		return tests
	}
	for _, name := range files {
		source, err := fs.ReadFile(module, name)
		if err != nil {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && takesOne(f) {
				tests[f.Name.Name] = true
			}
		}
	}
	return tests
}

// takesOne reports whether f has exactly one parameter, *testing.T or *testing.F, as only tests and fuzz targets do.
func takesOne(f *ast.FuncDecl) bool {
	p := f.Type.Params.List
	if len(p) != 1 || len(p[0].Names) != 1 {
		return false
	}
	star, ok := p[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	s, ok := star.X.(*ast.SelectorExpr)
	return ok && (s.Sel.Name == "T" || s.Sel.Name == "F")
}
