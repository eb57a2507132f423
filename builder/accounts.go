package builder

import (
	"fmt"
	"path"
	"strings"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/internal/rootfs"
)

// mountPoint makes the place of a mount, which a read-only root must hold.
func (s *selection) mountPoint(m grant.Slot) error {
	n := s.Keeper.Get(m.At)
	if n == nil {
		return s.Add(rootfs.Node{Path: m.At, Type: rootfs.Directory, Mode: 0o755}, "mount point for "+m.Kind)
	}
	if n.Type == rootfs.Symlink {
		return fmt.Errorf("mount at %s: the image has a symbolic link to %q there: mount it where that leads", m.At, n.Target)
	}
	return nil
}

// hides refuses a mount over a program or a library: what is mounted there would
// be run in its place.
func (s *selection) hides(m grant.Slot) error {
	for _, r := range s.rights {
		if p, ok := strings.CutPrefix(r.String(), "execute "); ok && order.Beneath(p, m.At) {
			return fmt.Errorf("%s: mount at %s: it would hide %s", s.file.At("boundary"), m.At, p)
		}
	}
	return nil
}

// accounts writes the rows that name the service's user and group. Without them
// an engine that is told the user alone takes group 0.
// Source: moby/sys/user, GetExecUser.
func (s *selection) accounts() error {
	uid, gid, name := s.file.Run.UID, s.file.Run.GID, s.file.Service
	passwd := "root:x:0:0:root:/:/nonexistent\n"
	group := "root:x:0:\n"
	if uid != 0 {
		passwd += fmt.Sprintf("%s:x:%d:%d:%s:/:/nonexistent\n", name, uid, gid, name)
	}
	if gid != 0 {
		group += fmt.Sprintf("%s:x:%d:\n", name, gid)
	}
	for _, file := range []struct{ path, text string }{{"/etc/passwd", passwd}, {"/etc/group", group}} {
		p, text := file.path, file.text
		if s.source.Added(p) {
			continue // the author's own
		}
		n := rootfs.Node{Path: p, Type: rootfs.Regular, Mode: 0o444, Size: int64(len(text)), Content: rootfs.Bytes(text)}
		if err := s.Add(n, "names the service's "+path.Base(p)+" entry"); err != nil {
			return err
		}
		s.rights = append(s.rights, grant.PathRight("read "+p))
	}
	return nil
}
