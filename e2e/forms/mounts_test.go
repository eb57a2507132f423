//go:build e2e

package forms_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/oci"
)

// A mounted is one line of mountinfo. Source: proc_pid_mountinfo(5).
type mounted struct {
	at, kind              string
	options, optional, on []string // of the mount, its peer groups, of the file system
}

func parseMountinfo(t *testing.T, text string) map[string]mounted {
	t.Helper()
	all := make(map[string]mounted)
	for line := range strings.Lines(text) {
		before, after, _ := strings.Cut(strings.TrimSpace(line), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) < 6 || len(right) < 3 {
			t.Fatalf("mountinfo has a line %q", line)
		}
		m := mounted{at: left[4], kind: right[0], options: strings.Split(left[5], ","), optional: left[6:], on: strings.Split(right[2], ",")}
		all[m.at] = m // the last is on top
	}
	return all
}

// wider says how a mount is more than the slot that was read for it.
func (m mounted) wider(s grant.Slot) []string {
	var list []string
	for _, f := range s.Flags {
		if !slices.Contains(m.options, f) {
			list = append(list, "no "+f)
		}
	}
	for _, o := range m.optional {
		kind, _, _ := strings.Cut(o, ":")
		if (kind == "shared" && s.Propagation != "shared") || (kind == "master" && s.Propagation == "private") {
			list = append(list, o)
		}
	}
	most, bounded := s.SizeMaxBytes.Value()
	if s.Kind == "tmpfs" && bounded {
		size := int64(-1)
		for _, o := range m.on {
			if text, ok := strings.CutPrefix(o, "size="); ok {
				if n, err := strconv.ParseInt(strings.TrimSuffix(text, "k"), 10, 64); err == nil && strings.HasSuffix(text, "k") {
					size = n << 10
				}
			}
		}
		if page := int64(os.Getpagesize()); size < 0 || size > (most+page-1)/page*page {
			list = append(list, fmt.Sprintf("size %d", size))
		}
	}
	return list
}

// TestMounts starts a container for each way to write its mounts, with a bind
// mount whose source is a shared mount of the host, and compares what is read
// with what the kernel says is mounted. Some are refused instead.
func TestMounts(t *testing.T) {
	const data = "/opt"
	bind := []string{"bind", "nodev", "noexec", "nosuid", "ro"}
	for _, c := range []struct {
		name, root string // propagation of the root
		tmp, data  []string
		at         string // of the tmpfs
		refused    bool
	}{
		{name: "plain", root: "rprivate", tmp: []string{"nosuid", "nodev", "noexec", "size=65536"}, data: bind},
		{name: "no root propagation", tmp: []string{"nosuid"}, data: bind},
		{name: "private root", root: "private", data: bind},
		{name: "slave root", root: "slave", data: bind},
		{name: "recursive slave root", root: "rslave", data: bind},
		{name: "private root, private bind", root: "private", data: append([]string{"private"}, bind...)},
		{name: "private root, private tree", root: "private", data: append([]string{"rbind", "private"}, bind...)},
		{name: "shared bind", root: "rprivate", data: append([]string{"rshared"}, bind...)},
		{name: "recursive flags on a bind", root: "rprivate", data: []string{"rbind", "rprivate", "rnodev", "rnoexec", "rnosuid", "rro"}},
		{name: "flags cleared", root: "rprivate", tmp: []string{"nosuid", "suid", "ro", "rw", "noexec"}, data: append(bind, "rw", "suid")},
		{name: "sizes", root: "rprivate", tmp: []string{"size=1k", "size=64k", "size=8k"}, data: bind},
		{name: "octal size", root: "rprivate", tmp: []string{"size=0100000"}, data: bind},
		{name: "size in m", root: "rprivate", tmp: []string{"size=1M", "mode=1777", "uid=5", "gid=6"}, data: bind},
		{name: "wide inode numbers", root: "rprivate", tmp: []string{"size=1m", "inode64"}, data: bind},
		{name: "recursive flags on tmpfs", root: "rprivate", tmp: []string{"rnosuid", "rro"}, data: bind, refused: true},
		{name: "recursive time on tmpfs", root: "rprivate", tmp: []string{"rnoatime"}, data: bind, refused: true},
		{name: "size in blocks", root: "rprivate", tmp: []string{"size=4096", "nr_blocks=100000"}, data: bind, refused: true},
		{name: "a detour", root: "rprivate", at: "/tmp/../scratch", data: bind, refused: true},
		{name: "a slash more", root: "rprivate", at: "/scratch/", data: bind, refused: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := fmt.Sprintf("forms-%d-%s", os.Getpid(), strings.NewReplacer(" ", "-", ",", "").Replace(c.name))
			spec := render(t, service(t, "mounts"), id)
			source := t.TempDir()
			at := c.at
			if at == "" {
				at = "/scratch"
			}
			spec.Linux.RootfsPropagation = c.root
			spec.Mounts = append(spec.Mounts,
				specs.Mount{Destination: data, Type: "bind", Source: source, Options: c.data},
				specs.Mount{Destination: at, Type: "tmpfs", Source: "tmpfs", Options: c.tmp},
			)
			text, err := json.Marshal(spec)
			must(t, err)
			r, err := oci.Parse(text, oci.Options{})
			must(t, err)
			if why := r.Unread["mounts"]; (why != "") != c.refused {
				t.Fatalf("refused %t: %q", why != "", why)
			}
			if c.refused {
				return
			}
			share := `mount -t tmpfs forms "$0" && mount --make-shared "$0" && exec "$@"`
			out, err := run(t, id, spec, "unshare", "--mount", "--propagation", "private", "sh", "-c", share, source)
			must(t, err)
			have := parseMountinfo(t, out)
			seen := 0
			for _, s := range r.Boundary.Mounts.Members() {
				m, ok := have[s.At]
				if !ok {
					t.Errorf("nothing is mounted at %s", s.At)
					continue
				}
				if s.At == data || s.At == at {
					seen++
				}
				for _, more := range m.wider(s) {
					t.Errorf("%s is read as %v and has %s: %+v", s.At, s, more, m)
				}
			}
			if seen != 2 {
				t.Errorf("of the two mounts %d were read", seen)
			}
		})
	}
}
