package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSummarise(t *testing.T) {
	for _, tc := range []struct {
		name   string
		events []string
		want   count
		says   []string
		hides  []string
	}{
		{
			name: "leaves are counted, not their parents",
			events: []string{
				`{"Action":"run","Package":"p","Test":"A"}`,
				`{"Action":"run","Package":"p","Test":"A/x"}`,
				`{"Action":"output","Package":"p","Test":"A/x","Output":"chatter\n"}`,
				`{"Action":"pass","Package":"p","Test":"A/x"}`,
				`{"Action":"run","Package":"p","Test":"A/y/z"}`,
				`{"Action":"pass","Package":"p","Test":"A/y/z"}`,
				`{"Action":"pass","Package":"p","Test":"A/y"}`,
				`{"Action":"pass","Package":"p","Test":"A"}`,
				`{"Action":"pass","Package":"p","Elapsed":0.5}`,
			},
			want:  count{passed: 2, packages: 1},
			says:  []string{"ok    p  0.5s  2 passed\n", "all 2 tests in 1 packages hold\n"},
			hides: []string{"chatter"},
		},
		{
			name: "a failing leaf brings its output and fails its parent once",
			events: []string{
				`{"Action":"output","Package":"p","Test":"A","Output":"=== RUN   A\n"}`,
				`{"Action":"output","Package":"p","Test":"A/x","Output":"got 1, want 2\n"}`,
				`{"Action":"fail","Package":"p","Test":"A/x"}`,
				`{"Action":"pass","Package":"p","Test":"A/y"}`,
				`{"Action":"fail","Package":"p","Test":"A"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want:  count{passed: 1, failed: 1, packages: 1},
			says:  []string{"FAIL  p", "    got 1, want 2\n"},
			hides: []string{"=== RUN"},
		},
		{
			name: "a parent that fails on its own counts",
			events: []string{
				`{"Action":"pass","Package":"p","Test":"A/x"}`,
				`{"Action":"fail","Package":"p","Test":"A"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: count{passed: 1, failed: 1, packages: 1},
		},
		{
			name: "a skip is told and counted",
			events: []string{
				`{"Action":"output","Package":"p","Test":"A","Output":"no such device\n"}`,
				`{"Action":"skip","Package":"p","Test":"A"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			want: count{skipped: 1, packages: 1},
			says: []string{"FAIL  p", "no such device", "1 were skipped"},
		},
		{
			name: "a package that does not build is one failure with its reason",
			events: []string{
				`{"ImportPath":"p [p.test]","Action":"build-output","Output":"undefined: x\n"}`,
				`{"ImportPath":"p [p.test]","Action":"build-fail"}`,
				`{"Action":"start","Package":"p"}`,
				`{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			},
			want: count{failed: 1, packages: 1},
			says: []string{"    undefined: x\n"},
		},
		{
			name: "a panic fails the test that was running",
			events: []string{
				`{"Action":"run","Package":"p","Test":"A"}`,
				`{"Action":"output","Package":"p","Output":"panic: out of range\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: count{failed: 1, packages: 1},
			says: []string{"panic: out of range"},
		},
		{
			name:   "events that stop early are a failure",
			events: []string{`{"Action":"pass","Package":"p","Test":"A"}`},
			want:   count{passed: 1, failed: 1, packages: 1},
		},
		{
			name: "a package without tests is neither",
			events: []string{
				`{"Action":"output","Package":"p","Output":"?   p [no test files]\n"}`,
				`{"Action":"skip","Package":"p"}`,
			},
			says:  []string{"no test ran"},
			hides: []string{"no test files"},
		},
		{
			name:   "messages of the go command pass",
			events: []string{`go: downloading example.com/m v1.0.0`},
			says:   []string{"go: downloading example.com/m v1.0.0\n"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out strings.Builder
			got, err := summarise(strings.NewReader(strings.Join(tc.events, "\n")+"\n"), &out)
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			for _, s := range tc.says {
				if !strings.Contains(out.String(), s) {
					t.Errorf("output lacks %q:\n%s", s, out.String())
				}
			}
			for _, s := range tc.hides {
				if strings.Contains(out.String(), s) {
					t.Errorf("output has %q:\n%s", s, out.String())
				}
			}
		})
	}
}

func TestRecordAppends(t *testing.T) {
	file := filepath.Join(t.TempDir(), "counts")
	for _, c := range []count{{passed: 3}, {passed: 1, failed: 2, skipped: 4}} {
		if err := record(file, c); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := "3 0 0\n1 2 4\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
