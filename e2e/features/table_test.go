package features

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestEveryFeatureHasItsTests checks the tables against the tree.
func TestEveryFeatureHasItsTests(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatalf("the module's root: %v", err)
	}
	for _, table := range Tables() {
		for _, wrong := range table.Check(os.DirFS(root)) {
			t.Error(wrong)
		}
		pending := 0
		for _, r := range table.Rows {
			if r.Pending != "" {
				pending++
				t.Logf("%s%d %s is pending: %s", table.Prefix, r.Number, r.Feature, r.Pending)
			}
		}
		t.Logf("%s: %d of %d features are tested as a whole", table.Prefix, len(table.Rows)-pending, table.Last)
	}
}

// TestErrorTextsAreExpected wants each text to be in the sources of a test that stands for it.
func TestErrorTextsAreExpected(t *testing.T) {
	const root = "../.."
	in := func(pattern, text string) bool {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(files, func(name string) bool {
			source, err := os.ReadFile(name)
			return err == nil && strings.Contains(string(source), text)
		})
	}
	for _, r := range errorTexts {
		expected := false
		for name := range strings.FieldsSeq(r.Tests) {
			dir, _, _ := cut(name)
			expected = expected || in(filepath.Join(root, dir, "*_test.go"), r.Feature)
		}
		if !expected {
			t.Errorf("E%d: none of %s has %q", r.Number, r.Tests, r.Feature)
		}
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	module := fstest.MapFS{
		"a/b/x_test.go": {Data: []byte(`package b
import "testing"
func TestOne(t *testing.T) {}
func FuzzTwo(f *testing.F) {}
func TestHelper(t *testing.T, more int) {}
func (s suite) TestMethod(t *testing.T) {}
`)},
		"a/b/broken_test.go": {Data: []byte("package")},
		"a/b/x.go":           {Data: []byte("package b\nfunc TestElsewhere(t *testing.T) {}\n")},
	}
	good := Row{Number: 1, Feature: "one", Tests: "a/b.TestOne a/b.FuzzTwo"}
	for name, test := range map[string]struct {
		last int
		rows []Row
		want []string
	}{
		"nothing":        {1, []Row{good}, nil},
		"pending":        {2, []Row{good, {Number: 2, Feature: "two", Pending: "later"}}, nil},
		"no test":        {2, []Row{good, {Number: 2, Feature: "two"}}, []string{"DP2: has neither"}},
		"no name":        {2, []Row{good, {Number: 2, Pending: "later"}}, []string{"DP2: has no name"}},
		"unknown test":   {1, []Row{{Number: 1, Feature: "one", Tests: "a/b.TestNone"}}, []string{"DP1: there is no test a/b.TestNone"}},
		"other package":  {1, []Row{{Number: 1, Feature: "one", Tests: "a.TestOne"}}, []string{"DP1: there is no test a.TestOne"}},
		"not a test":     {1, []Row{{Number: 1, Feature: "one", Tests: "a/b.TestHelper"}}, []string{"DP1: there is no"}},
		"a method":       {1, []Row{{Number: 1, Feature: "one", Tests: "a/b.TestMethod"}}, []string{"DP1: there is no"}},
		"no test file":   {1, []Row{{Number: 1, Feature: "one", Tests: "a/b.TestElsewhere"}}, []string{"DP1: there is no"}},
		"not a name":     {1, []Row{{Number: 1, Feature: "one", Tests: "TestOne"}}, []string{`DP1: "TestOne" is not`}},
		"a row too few":  {2, []Row{good}, []string{"DP2: 1 rows, want 2"}},
		"a row in twice": {2, []Row{good, good}, []string{"DP2: the row in its place is 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Table{Prefix: "DP", Last: test.last, Rows: test.rows}.Check(module)
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}
