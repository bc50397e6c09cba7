package house

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/troupe-mesh/troupe"

// longestFile is how many lines a source file may have; generated code is exempt.
const longestFile = 500

// rooms are the top-level folders in the order in which imports may point: each may import itself and later ones.
var rooms = []string{"e2e", "bootstrap", "actors", "transport", "messages"}

// topLevel is everything that may stand beside the rooms.
var topLevel = map[string]bool{
	"go.mod": true, "go.sum": true, "Taskfile.yml": true, "README.md": true, "LICENSE": true, ".ci": true,
	".git": true, ".gitignore": true, ".gitattributes": true, ".golangci.yml": true, ".dockerignore": true, ".editorconfig": true,
	// What builds and tools leave behind and git ignores.
	"bin": true, ".cache": true, ".task": true,
}

// file is one Go source file of the house.
type file struct {
	path, dir string
	src       []byte
}

func sources(t *testing.T) []file {
	t.Helper()
	root := filepath.Join("..", "..")
	var files []file
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files = append(files, file{path: rel, dir: filepath.Dir(rel), src: src})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go files found")
	}
	return files
}

func isGenerated(f file) bool {
	return bytes.Contains(f.src, []byte("\n// Code generated ")) || bytes.HasPrefix(f.src, []byte("// Code generated "))
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range sources(t) {
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.path, f.src, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		if _, seen := documented[f.dir]; !seen {
			documented[f.dir] = false
		}
		if doc := parsed.Doc.Text(); parsed.Name.Name == "main" && doc != "" || strings.HasPrefix(doc, "Package "+parsed.Name.Name+" ") {
			documented[f.dir] = true
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: no package doc comment; say what the package is for, what it promises and who may call it", dir)
		}
	}
}

func TestNoFileIsTooLong(t *testing.T) {
	for _, f := range sources(t) {
		if isGenerated(f) {
			continue
		}
		if n := bytes.Count(f.src, []byte("\n")); n > longestFile {
			t.Errorf("%s: %d lines, want at most %d: split it by concept", f.path, n, longestFile)
		}
	}
}

func TestImportsPointOneWay(t *testing.T) {
	place := map[string]int{}
	for i, room := range rooms {
		place[room] = i
	}
	for _, f := range sources(t) {
		parsed, err := parser.ParseFile(token.NewFileSet(), f.path, f.src, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		from, _, _ := strings.Cut(filepath.ToSlash(f.path), "/")
		here, ok := place[from]
		if !ok {
			t.Errorf("%s: stands in no room", f.path)
			continue
		}
		for _, i := range parsed.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			if otel := strings.HasPrefix(path, "go.opentelemetry.io/"); otel && from != "e2e" && from != "bootstrap" && !strings.HasPrefix(f.path, "actors/trace/") {
				t.Errorf("%s imports %s: only actors/trace and bootstrap may", f.path, path)
			}
			if strings.HasPrefix(path, "github.com/asynkron/protoactor-go") && (from == "transport" || from == "messages") {
				t.Errorf("%s imports %s: there are no actors in %s", f.path, path, from)
			}
			rest, ours := strings.CutPrefix(path, module+"/")
			if !ours {
				continue
			}
			to, _, _ := strings.Cut(rest, "/")
			if there, ok := place[to]; ok && there < here {
				t.Errorf("%s imports %s: %s must not know %s", f.path, path, from, to)
			}
		}
	}
}

func TestNothingElseAtTheTop(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		isRoom := false
		for _, room := range rooms {
			isRoom = isRoom || room == e.Name()
		}
		if !isRoom && !topLevel[e.Name()] {
			t.Errorf("%s stands at the top level: put it in a room", e.Name())
		}
	}
}
