package depcheck

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var promiseTest = regexp.MustCompile("`([a-z0-9/]+)` (Test[A-Za-z0-9_]+)")

// TestPromisesHaveTests makes sure that each promise of the threat model names
// tests, and that they exist.
func TestPromisesHaveTests(t *testing.T) {
	data, err := os.ReadFile("../../docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	promises := 0
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| promise") {
			continue
		}
		promises++
		named := promiseTest.FindAllStringSubmatch(line, -1)
		if len(named) == 0 {
			t.Errorf("no test holds: %s", line)
		}
		for _, m := range named {
			if !defines(t, m[1], m[2]) {
				t.Errorf("%s has no %s", m[1], m[2])
			}
		}
	}
	if promises < 20 {
		t.Errorf("only %d promises found", promises)
	}
}

// defines reports whether a test file of the folder holds the test.
func defines(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "\nfunc "+name+"(t ") {
			return true
		}
	}
	return false
}
