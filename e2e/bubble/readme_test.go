package bubble_test

import (
	"os"
	"strings"
	"testing"
)

// TestREADMEShowsTheGuide holds the test that the README shows to the one that is run here.
func TestREADMEShowsTheGuide(t *testing.T) {
	guide, err := os.ReadFile("guide_test.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "\n```go\n"+string(guide)+"```\n") {
		t.Error("README.md, Write a fault-injection test, does not show e2e/bubble/guide_test.go as it is")
	}
}
