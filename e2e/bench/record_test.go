package main

import "testing"

func TestReplace(t *testing.T) {
	page := "# Figures\n" + recordBegin + "old\n" + recordEnd + "and more\n"
	want := "# Figures\n" + recordBegin + "new\n" + recordEnd + "and more\n"
	if got, err := replace([]byte(page), "new\n"); err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"", "# Figures\n", recordBegin + "no end\n", recordEnd + recordBegin} {
		if got, err := replace([]byte(bad), "new\n"); err == nil {
			t.Errorf("%q: got %q", bad, got)
		}
	}
}
