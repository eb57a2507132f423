package builder

import (
	"fmt"
	"testing"

	"github.com/immure-dev/immure/harden/grant"
)

func TestManyRightsAreFolded(t *testing.T) {
	rights := []grant.PathRight{"create /data", "read /motd"}
	for i := range 500 {
		rights = append(rights,
			grant.PathRight(fmt.Sprintf("read /usr/lib/python3/m%03d/f%d.py", i/10, i)),
			grant.PathRight(fmt.Sprintf("write /data/%d", i%3)))
	}
	rights = covering(rights)
	got := folded(rights)
	if len(got) > maxRights {
		t.Errorf("%d rights are left", len(got))
	}
	for _, r := range rights {
		covered := false
		for _, g := range got {
			covered = covered || g.Covers(r)
			if g == "read /" || g == "read /usr" {
				t.Errorf("folded further than need be: %s", g)
			}
		}
		if !covered {
			t.Errorf("%s got lost", r)
		}
	}
	few := []grant.PathRight{"read /a/b", "read /a/c"}
	if len(folded(few)) != 2 {
		t.Error("few rights were folded")
	}
}
