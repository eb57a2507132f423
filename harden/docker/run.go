package docker

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// SeccompFile is the file that the flags name for the system call filter; its
// content is what harden/seccomp renders.
const SeccompFile = "seccomp.json"

// RunFlags returns the arguments of docker after "docker": "run", the flags of
// the tightest container in b, and the image. Program, arguments, environment
// and user are the image's own; ports to publish and volumes are the caller's.
func RunFlags(b harden.Boundary, image string) ([]string, error) {
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("render docker run: %w", err)
	}
	if image == "" || image[0] == '-' || strings.ContainsAny(image, " \t\n\x00") {
		return nil, fmt.Errorf("render docker run: %q is no image", image)
	}
	args := []string{"run"}
	for _, part := range []struct {
		facet string
		flags func(harden.Boundary) ([]string, error)
	}{
		{"user", user},
		{"capabilities", privileges},
		{"namespaces", namespaces},
		{"mounts", mounts},
		{"resources", resources},
		{"rlimits", rlimits},
		{"process", process},
	} {
		flags, err := part.flags(b)
		if err != nil {
			return nil, fmt.Errorf("render docker run: %s: %w", part.facet, err)
		}
		args = append(args, flags...)
	}
	return append(args, image), nil
}

func user(b harden.Boundary) (flags []string, err error) {
	uid, one := b.User.UID.One()
	gid, oneGroup := b.User.GID.One()
	if one && oneGroup {
		flags = append(flags, fmt.Sprintf("--user=%d:%d", uid, gid))
	}
	for _, g := range b.User.Groups.Members() {
		if n, ok := g.One(); ok {
			flags = append(flags, fmt.Sprintf("--group-add=%d", n))
		}
	}
	return flags, nil
}

func privileges(b harden.Boundary) ([]string, error) {
	flags := []string{"--cap-drop=ALL"}
	if b.Capabilities.Bounding.IsAny() {
		return nil, fmt.Errorf("bounding: any cannot be written; list the capabilities")
	}
	for _, c := range b.Capabilities.Bounding.Members() {
		flags = append(flags, "--cap-add="+strings.TrimPrefix(string(c), "CAP_"))
	}
	if b.NoNewPrivileges == "on" {
		flags = append(flags, "--security-opt=no-new-privileges")
	}
	filter := SeccompFile
	if b.Syscalls.IsUnconfined() {
		filter = "unconfined"
	}
	flags = append(flags, "--security-opt=seccomp="+filter)
	if mode, name := b.AppArmor.Profile(); mode == "enforce" && name != "" {
		flags = append(flags, "--security-opt=apparmor="+name)
	}
	if l := b.SELinux.Process; l != order.None && l != order.Any {
		return nil, fmt.Errorf("docker run takes an SELinux label in parts, and has no flag for %q", string(l))
	}
	return flags, nil
}

// namespaces takes an own namespace wherever the boundary shares less than the
// host's. Without ports and destinations there is no network at all.
func namespaces(b harden.Boundary) ([]string, error) {
	n := b.Namespaces
	flags := []string{"--ipc=private", "--cgroupns=private"}
	if n.IPC == "host" {
		flags[0] = "--ipc=host"
	}
	if n.Cgroup == "host" {
		flags[1] = "--cgroupns=host"
	}
	if n.PID == "host" {
		flags = append(flags, "--pid=host")
	}
	if n.UTS == "host" {
		flags = append(flags, "--uts=host")
	}
	nowhere := b.Network.Listen.String() == string(order.None) && b.Network.Connect.String() == string(order.None)
	switch {
	case n.Network == "host":
		flags = append(flags, "--network=host")
	case nowhere:
		flags = append(flags, "--network=none")
	default:
		flags = append(flags, "--network=bridge")
	}
	for _, p := range b.Sysctls.Members() {
		if text, ok := literal(p); ok {
			flags = append(flags, "--sysctl="+text)
		}
	}
	return flags, nil
}

// literal returns the only text that a pattern stands for.
func literal(p grant.Pattern) (string, bool) {
	texts, ok := grant.ArgsOf(p).Literals()
	return strings.Join(texts, ""), ok
}

func process(b harden.Boundary) (flags []string, err error) {
	if dirs := b.Process.Cwd.Members(); len(dirs) == 1 {
		if dir, ok := literal(dirs[0]); ok {
			flags = append(flags, "--workdir="+dir)
		}
	}
	lo, hi := b.Process.OOMScoreAdj.Bounds()
	score := min(max(0, lo), hi) // of those permitted, the one nearest to zero
	return append(flags, "--oom-score-adj="+strconv.FormatInt(score, 10)), nil
}

func resources(b harden.Boundary) (flags []string, err error) {
	r := b.Resources
	if memory, ok := r.MemoryMaxBytes.Value(); ok {
		flags = append(flags, fmt.Sprintf("--memory=%d", memory))
		if swap, ok := r.SwapMaxBytes.Value(); ok {
			flags = append(flags, fmt.Sprintf("--memory-swap=%d", memory+swap))
		}
	} else if _, ok := r.SwapMaxBytes.Value(); ok {
		return nil, fmt.Errorf("swapMaxBytes: swap can only be limited together with the memory")
	}
	if n, ok := r.PIDsMax.Value(); ok {
		flags = append(flags, fmt.Sprintf("--pids-limit=%d", n))
	}
	if n, ok := r.CPUMaxMillis.Value(); ok {
		flags = append(flags, fmt.Sprintf("--cpus=%d.%03d", n/1000, n%1000))
	}
	if _, ok := r.IOMaxBytesPerSecond.Value(); ok {
		return nil, fmt.Errorf("ioMaxBytesPerSecond: docker run limits single devices only")
	}
	if zero := order.AtMost(0); r.MemoryMaxBytes == zero || r.PIDsMax == zero || r.CPUMaxMillis == zero {
		return nil, fmt.Errorf("docker run takes a limit of 0 for none")
	}
	return flags, nil
}

func rlimits(b harden.Boundary) (flags []string, err error) {
	for _, name := range grant.RlimitNames {
		l := b.Rlimits[name]
		soft, hard := ulimit(l.Soft), ulimit(l.Hard)
		if soft < 0 || (hard >= 0 && soft > hard) {
			soft = hard
		}
		switch {
		case soft < 0:
		case name == "RLIMIT_AS":
			return nil, fmt.Errorf("docker run has no flag for %s", name)
		default:
			flags = append(flags, fmt.Sprintf("--ulimit=%s=%d:%d", strings.ToLower(strings.TrimPrefix(name, "RLIMIT_")), soft, hard))
		}
	}
	return flags, nil
}

// ulimit returns -1, Docker's unlimited, for a limit without a number.
func ulimit(l order.Limit) int64 {
	if n, ok := l.Value(); ok {
		return n
	}
	return -1
}

// mounts fills the slots that need no source of the caller's. Docker brings
// /proc, /dev, /sys and their kin itself.
func mounts(b harden.Boundary) (flags []string, err error) {
	if b.Rootfs == "readOnly" {
		flags = append(flags, "--read-only")
	}
	for _, s := range b.Mounts.Members() {
		size, bounded := s.SizeMaxBytes.Value()
		switch {
		case strings.ContainsAny(s.At+s.Source, ",:\"\n"):
			return nil, fmt.Errorf("%q: docker run takes no comma, colon or quote in a path", s.At)
		case s.At == "/dev/shm" && s.Kind == "tmpfs":
			if bounded {
				flags = append(flags, fmt.Sprintf("--shm-size=%d", size))
			}
		case s.Kind == "tmpfs" && s.At != "/dev":
			flags = append(flags, tmpfs(b, s))
		case s.Kind == "bind":
			mount := "--mount=type=bind,source=" + s.Source + ",target=" + s.At
			if slices.Contains(s.Flags, "ro") {
				mount += ",readonly"
			}
			flags = append(flags, mount)
		}
	}
	return flags, nil
}

func tmpfs(b harden.Boundary, s grant.Slot) string {
	options := slices.Clone(s.Flags)
	if !slices.Contains(s.Flags, "noexec") {
		options = append(options, "exec") // or Docker's default forbids it
	}
	mode := "mode=700"
	if s.At == "/tmp" || s.At == "/var/tmp" {
		mode = "mode=1777"
	}
	options = append(options, mode)
	uid, one := b.User.UID.One()
	gid, oneGroup := b.User.GID.One()
	if one && oneGroup {
		options = append(options, fmt.Sprintf("uid=%d,gid=%d", uid, gid))
	}
	if n, ok := s.SizeMaxBytes.Value(); ok {
		options = append(options, fmt.Sprintf("size=%d", n))
	}
	return "--tmpfs=" + s.At + ":" + strings.Join(options, ",")
}
