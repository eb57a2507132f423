package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// debianTime is the longest that a root file system may take to install. What
// takes longer hangs on a mirror.
const debianTime = 15 * time.Minute

// mergedUsr has mmdebstrap make the links of a merged /usr itself, as Debian's
// installer does. Otherwise apt adds a program that merges, and with it Perl.
const mergedUsr = "/usr/share/mmdebstrap/hooks/maybe-merged-usr"

// compareDebian weighs the least Debian that apt installs redis-server into,
// beside ours. It has no goal, and fails nothing when it cannot be measured.
func compareDebian(ctx context.Context, r *report, ours contents) error {
	name := "minimal " + distribution() + " with redis-server"
	width := len(name)
	r.printf("%-*s  %s\n", width, "", rowTitle)
	r.printf("%-*s  %s\n", width, "redis image", ours.row())
	theirs, err := debian(ctx, "redis-server")
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("weigh %s: %w", name, err)
	}
	if err != nil {
		r.printf("%s  not measured: %v\n", name, err)
		return nil
	}
	r.printf("%-*s  %s\n", width, name, theirs.row())
	r.printf("%s: %.1f× the redis image\n", name, ratio(theirs.bytes, ours.bytes))
	papers := theirs.under(slimWithout...)
	r.printf("%.1f MB of it are documentation and translations, which slim base images leave out: %.1f× without\n",
		mb(papers), ratio(theirs.bytes-papers, ours.bytes))
	r.printf("made by mmdebstrap --variant=minbase from this machine's package sources; no goal\n")
	return nil
}

// slimWithout are the directories that Debian's slim images leave out, nearly.
// Source: debuerreotype, scripts/.slimify-excludes.
var slimWithout = []string{"/usr/share/doc/", "/usr/share/groff/", "/usr/share/info/", "/usr/share/locale/", "/usr/share/man/"}

func ratio(a, b int64) float64 { return float64(a) / float64(b) }

// debian installs a package and what it depends on into a minimal root of this
// machine's own package sources, and weighs it.
func debian(ctx context.Context, service string) (all contents, err error) {
	program, err := exec.LookPath("mmdebstrap")
	if err != nil {
		return all, errors.New("no mmdebstrap: run apt-get install mmdebstrap")
	}
	sources, err := packageSources()
	if err != nil {
		return all, err
	}
	// Not in the bed, which is closed to others: apt downloads as a user of its
	// own, and keeps root for it where that user cannot go.
	dir, err := os.MkdirTemp("", "immure-bench-debian-*")
	if err != nil {
		return all, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil {
		return all, err
	}
	archive := filepath.Join(dir, "root.tar")
	argv := []string{"--mode=root", "--variant=minbase", "--format=tar", "--include=" + service}
	conf, err := proxies(ctx, dir)
	if err != nil {
		return all, fmt.Errorf("read apt's proxies: %w", err)
	}
	if conf != "" {
		argv = append(argv, "--aptopt="+conf)
	}
	if _, err := os.Stat(mergedUsr); err == nil {
		argv = append(argv, "--hook-dir="+mergedUsr)
	}
	argv = append(argv, "", archive) // no suite: the sources name theirs
	if err := enclosed(ctx, dir, program, append(argv, sources...)); err != nil {
		return all, err
	}
	f, err := os.Open(archive)
	if err != nil {
		return all, err
	}
	defer f.Close()
	return all, all.add(f)
}

// enclosed runs a program in process and mount namespaces of its own, so that
// with its first process go all others, what packages' scripts may have started
// included, and every mount, however it ends. No mount reaches the machine.
func enclosed(ctx context.Context, dir, program string, argv []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, debianTime, fmt.Errorf("not done after %v", debianTime))
	defer cancel()
	runtime.LockOSThread() // Pdeathsig is of the thread that started it
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, program, argv...)
	cmd.Dir, cmd.Env = "/", append(os.Environ(), "TMPDIR="+dir, "LC_ALL=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		// Unlike a clone flag, this makes the mounts private first.
		Unshareflags: syscall.CLONE_NEWNS,
		Pdeathsig:    syscall.SIGKILL,
	}
	_, err := cmd.Output()
	if ctx.Err() != nil {
		return fmt.Errorf("run mmdebstrap: %w", context.Cause(ctx))
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("run mmdebstrap: %w: %s", err, complaint(string(exit.Stderr)))
	}
	return err
}

// complaint is the first line that apt or mmdebstrap marks as an error, or the
// last line: later errors follow from the first.
func complaint(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	line := cmp.Or(lines[len(lines)-1], "it says nothing")
	for _, l := range lines {
		if strings.HasPrefix(l, "E: ") {
			line = strings.TrimPrefix(l, "E: ")
			break
		}
	}
	return fmt.Sprintf("%.300s", strings.TrimSpace(line))
}

// packageSources are the files that apt reads its sources from.
// Source: sources.list(5).
func packageSources() ([]string, error) {
	var files []string
	for _, pattern := range []string{"sources.list", "sources.list.d/*.list", "sources.list.d/*.sources"} {
		found, err := filepath.Glob("/etc/apt/" + pattern)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	if files == nil {
		return nil, errors.New("no package sources in /etc/apt: this is for Debian and Ubuntu")
	}
	return files, nil
}

// proxies writes what this machine's apt knows of proxies to a file: mmdebstrap
// takes none of its configuration. The name is empty when there are none.
func proxies(ctx context.Context, dir string) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-config", "dump", "--no-empty", "Acquire::http", "Acquire::https").Output()
	if err != nil || len(out) == 0 {
		return "", err
	}
	path := filepath.Join(dir, "proxies.conf")
	return path, os.WriteFile(path, out, 0o600)
}

// distribution is this machine's, as os-release(5) names it.
func distribution() string {
	data, err := os.ReadFile("/etc/os-release")
	if err == nil {
		for line := range strings.Lines(string(data)) {
			if value, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
				return fmt.Sprintf("%.60s", strings.Trim(strings.TrimSpace(value), `"'`))
			}
		}
	}
	return "Debian"
}
