package oci

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/immure-dev/immure/harden/order"
)

// propagations are the levels of the mount propagation options. A mount that
// cannot be bound again is private besides.
var propagations = map[string]order.Level{
	"private": "private", "rprivate": "private", "unbindable": "private", "runbindable": "private",
	"slave": "slave", "rslave": "slave", "shared": "shared", "rshared": "shared",
}

// mountFlags are the options that set or clear a flag of a slot.
var mountFlags = map[string]struct {
	flag string
	set  bool
}{
	"ro": {"ro", true}, "rw": {"ro", false}, "nosuid": {"nosuid", true}, "suid": {"nosuid", false},
	"nodev": {"nodev", true}, "dev": {"nodev", false}, "noexec": {"noexec", true}, "exec": {"noexec", false},
}

// harmlessOptions change times, caching and messages, not what is permitted.
var harmlessOptions = []string{
	"async", "atime", "defaults", "diratime", "dirsync", "iversion", "lazytime", "loud", "mand", "noatime",
	"nodiratime", "noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime", "nosymfollow", "relatime",
	"silent", "strictatime", "symfollow", "sync",
}

// harmlessTree are those that work on a whole tree.
var harmlessTree = []string{
	"ratime", "rdiratime", "rnoatime", "rnodiratime", "rnorelatime", "rnostrictatime", "rnosymfollow", "rrelatime",
	"rstrictatime", "rsymfollow",
}

// dataOptions are those of the kernel's file systems that narrow, or say who
// owns the mount's root. "hidepid" and "subset" hide other processes. For tmpfs
// "nr_blocks" is left out, which is its size over again, and so is "nr_inodes",
// which raises a bound as well. Source: Linux Documentation/filesystems/tmpfs.rst.
var dataOptions = map[string][]string{
	"devpts": {"newinstance", "gid=", "mode=", "ptmxmode=", "max="},
	"proc":   {"hidepid=", "subset="},
	"tmpfs":  {"gid=", "inode32", "inode64", "mode=", "noswap", "size=", "tmpcopyup", "uid="},
}

// An optionList is what a mount's options come to.
type optionList struct {
	flags       map[string]bool // set or cleared for the mount itself
	recursive   map[string]bool // and for all beneath it, which decides last
	bind, tree  bool            // "bind"; "rbind" takes what is mounted beneath along
	onTree      string          // an option that works on a whole tree, if there is one
	idMapped    bool
	propagation order.Level // the widest that is asked for
	shallow     bool        // some propagation is asked for that leaves out what is mounted beneath
	sizes       []string
}

// parseOptions reads options as runc's parseMountOptions and crun's
// get_mount_flags do: of two that disagree the later wins, and those that work
// on a whole tree are applied after the others. They are for bind mounts alone:
// runc sets them on no other (mountToRootfs) and says nothing.
func parseOptions(mountType string, options []string) (optionList, error) {
	kind := fileSystems[mountType]
	l := optionList{bind: mountType == "bind", flags: make(map[string]bool), recursive: make(map[string]bool)}
	for _, o := range options {
		plain, isTree := strings.CutPrefix(o, "r")
		f, known := mountFlags[o]
		tree, knownTree := mountFlags[plain]
		level, propagates := propagations[o]
		switch {
		case known:
			l.flags[f.flag] = f.set
		case isTree && knownTree:
			l.recursive[tree.flag], l.onTree = tree.set, o
		case slices.Contains(harmlessTree, o):
			l.onTree = o
		case propagates:
			l.propagation = widest(l.propagation, level)
			l.shallow = l.shallow || !isTree
		case o == "bind" || o == "rbind":
			l.bind, l.tree = true, l.tree || o == "rbind"
		case o == "idmap" || o == "ridmap":
			l.idMapped = true
		case slices.Contains(harmlessOptions, o):
		case isData(kind, o):
			if size, ok := strings.CutPrefix(o, "size="); ok {
				l.sizes = append(l.sizes, size)
			}
		default:
			return l, fmt.Errorf("unknown option %q", o)
		}
	}
	if l.onTree != "" && !l.bind {
		return l, fmt.Errorf("option %q works on bind mounts alone; write it without the first r", l.onTree)
	}
	return l, nil
}

func isData(kind, option string) bool {
	return slices.ContainsFunc(dataOptions[kind], func(d string) bool {
		return option == d || (strings.HasSuffix(d, "=") && strings.HasPrefix(option, d) && !strings.Contains(option, ","))
	})
}

func widest(a, b order.Level) order.Level {
	chain := order.Chain{"", "private", "slave", "shared"}
	return chain[max(slices.Index(chain, a), slices.Index(chain, b))]
}

// flagList returns the flags that hold. On a tree of mounts of the host, those
// of the mount itself do not count: what is mounted beneath keeps its own.
func (l optionList) flagList(hostTree bool) []string {
	set := make([]string, 0, 4)
	for _, name := range []string{"nodev", "noexec", "nosuid", "ro"} {
		on := l.flags[name] && !hostTree
		if tree, stated := l.recursive[name]; stated {
			on = tree
		}
		if on {
			set = append(set, name)
		}
	}
	return set
}

// size returns the limit of a tmpfs. A share of the memory, or zero, bounds
// nothing that is known here. Source: Linux Documentation/filesystems/tmpfs.rst.
func (l optionList) size() (order.Limit, error) {
	limit := order.AtMost(0)
	for _, text := range l.sizes {
		digits := strings.TrimRight(text, "kKmMgG%")
		n, err := strconv.ParseInt(digits, 10, 50)
		if err != nil || n < 0 || len(text) > len(digits)+1 {
			return limit, fmt.Errorf("size %q is no number of bytes, k, m, g or %%", text)
		}
		unit := map[string]int64{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "%": 0}[strings.ToLower(text[len(digits):])]
		one := order.Unlimited()
		if n > 0 && unit > 0 && n <= order.MaxLimit/unit {
			one = order.AtMost(n * unit)
		}
		if limit.Over(one) == nil {
			limit = one // of several, the largest: the kernel takes the last, and no reader less than the truth
		}
	}
	if len(l.sizes) == 0 {
		limit = order.Unlimited()
	}
	return limit, nil
}
