package oci

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden/canon"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// rlimits reads a missing limit as unlimited: it is inherited.
func (r *reader) rlimits() {
	limits := grant.UnlimitedRlimits()
	seen := make(map[string]bool)
	for _, l := range r.process.Rlimits {
		if _, known := limits[l.Type]; !known || seen[l.Type] {
			r.unread("rlimits", "limit %q is unknown or stated twice", l.Type)
			continue
		}
		seen[l.Type] = true
		limits[l.Type] = grant.Rlimit{Hard: rlimit(l.Hard), Soft: rlimit(l.Soft)}
	}
	r.b.Rlimits = limits
}

func rlimit(n uint64) order.Limit {
	if n > order.MaxLimit {
		return order.Unlimited()
	}
	return order.AtMost(int64(n))
}

// start reads what is executed, where and with what.
func (r *reader) start() {
	p := &r.b.Process
	p.Args = grant.LiteralArgs(r.process.Args...)
	if len(r.process.Args) == 0 {
		r.unread("process.args", "no arguments: the first is the program")
	}
	// A descriptor's link in /proc can lead out of the container
	// (CVE-2024-21626), so such a directory is not even compared.
	cwd := r.process.Cwd
	if resolved := r.resolve(cwd); !clean(cwd) || !clean(resolved) || order.Beneath(cwd, "/proc") || order.Beneath(resolved, "/proc") {
		r.unread("process.cwd", "directory %s is not absolute and clean, or lies under /proc", cwd)
	}
	p.Cwd = order.Of(grant.Literal(cwd))
	var env []grant.Env
	for _, e := range r.process.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			r.unread("process.env", "%q is not NAME=value", e)
		}
		env = append(env, grant.Env(grant.Literal(e)))
	}
	p.Env = order.Of(env...)
	p.Descriptors = names([]string{"stdio"})
	if r.process.Terminal {
		p.Descriptors = names([]string{"stdio", "terminal"})
	}
	p.OOMScoreAdj = order.AnyRange() // what the runtime itself has is inherited
	if n := r.process.OOMScoreAdj; n != nil {
		p.OOMScoreAdj = order.Only(int64(*n))
		if *n < -1000 || *n > 1000 {
			r.unread("process.oomScoreAdj", "%d is not between -1000 and 1000", *n)
		}
	}
}

func (r *reader) resolve(p string) string {
	if r.options.Resolve == nil || !clean(p) {
		return p
	}
	return r.options.Resolve(p)
}

// exacts reads what is compared as a whole.
func (r *reader) exacts() {
	p := &r.b.Process
	p.Scheduler, p.IOPriority, p.CPUAffinity = order.None, order.None, order.None
	p.Personality, p.MemoryPolicy, p.IntelRdt = order.None, order.None, order.None
	if v := r.process.Scheduler; v != nil {
		p.Scheduler = r.exact("process.scheduler", v)
	}
	if v := r.process.IOPriority; v != nil {
		p.IOPriority = r.exact("process.ioPriority", v)
	}
	if v := r.process.ExecCPUAffinity; v != nil {
		p.CPUAffinity = r.exact("process.cpuAffinity", v)
	}
	if v := r.linux.Personality; v != nil {
		p.Personality = r.exact("process.personality", v)
	}
	if v := r.linux.MemoryPolicy; v != nil {
		p.MemoryPolicy = r.exact("process.memoryPolicy", v)
	}
	if v := r.linux.IntelRdt; v != nil {
		p.IntelRdt = r.exact("process.intelRdt", v)
	}
}

func (r *reader) exact(facet string, v any) order.Exact {
	text, err := canon.Encode(v)
	if err != nil {
		r.unread(facet, "%v", err)
	}
	return order.Exact(text)
}

var versionForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]+\.[0-9]+\.[0-9]+)([-+].*)?$`) })

// rest reads what concerns the runtime: cgroup, sysctls, hooks, annotations.
func (r *reader) rest() {
	group := r.linux.CgroupsPath
	if group != "" && (path.Clean(group) != group || slices.Contains(strings.FieldsFunc(group, func(c rune) bool { return c == '/' || c == ':' }), "..")) {
		r.unread("cgroupsPath", "path %q is not clean", group)
	}
	r.b.CgroupsPath = order.Of(grant.Literal(group))
	r.b.NetDevices = r.netDevices()
	var sysctls []grant.Pattern
	for key, v := range r.linux.Sysctl {
		sysctls = append(sysctls, grant.Literal(key+"="+v))
	}
	r.b.Sysctls = order.Of(sysctls...)
	r.b.Hooks = order.Of(r.hooks()...)
	r.b.Annotations = names(unsafeAnnotations(r.spec.Annotations))
	m := versionForm().FindStringSubmatch(r.spec.Version)
	if m == nil {
		r.unread("runtime.ociVersion", "%q is no version", r.spec.Version)
		return
	}
	r.b.Runtime.OCIVersion = order.Version(m[1])
}

// hooks writes each as "stage [NAME=value…] path arguments…".
func (r *reader) hooks() []grant.Pattern {
	h := r.spec.Hooks
	if h == nil {
		return nil
	}
	var list []grant.Pattern
	for _, stage := range []struct {
		name  string
		hooks []specs.Hook
	}{
		//lint:ignore SA1019 deprecated, and runtimes still run them
		{"prestart", h.Prestart},
		{"createRuntime", h.CreateRuntime},
		{"createContainer", h.CreateContainer},
		{"startContainer", h.StartContainer},
		{"poststart", h.Poststart},
		{"poststop", h.Poststop},
	} {
		for i, hook := range stage.hooks {
			text, err := hookText(hook)
			if err != nil {
				r.unread("hooks", "%s %d: %v", stage.name, i, err)
				continue
			}
			list = append(list, grant.Literal(stage.name+" "+text))
		}
	}
	return list
}

var plainWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`) })

// hookText separates words by spaces and quotes those with other characters, so
// that two hooks never read the same.
func hookText(h specs.Hook) (string, error) {
	if !clean(h.Path) {
		return "", fmt.Errorf("path %q is not absolute and clean", h.Path)
	}
	words := slices.Concat(h.Env, []string{h.Path}, h.Args)
	for i, w := range words {
		if name, _, ok := strings.Cut(w, "="); i < len(h.Env) && (!ok || name == "" || strings.Contains(name, "/")) {
			return "", fmt.Errorf("environment %q is not NAME=value", w)
		}
		if !plainWord().MatchString(w) {
			words[i] = strconv.Quote(w)
		}
	}
	return strings.Join(words, " "), nil
}
