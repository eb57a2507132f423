package image_test

import (
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/verify/image"
)

// twiceSigned judges the draft's image as its author signs it, deceived or not,
// with a seal and a statement, over a layer that a brief reading leaves out.
func (d *draft) twiceSigned() (*image.Verdict, error) {
	d.tb.Helper()
	large := *d
	large.files = append(slices.Clone(d.files), entry{name: "usr/bin/data", data: strings.Repeat("\x00", largeBytes)})
	img := large.sealed()
	return judge(d.tb, img, stated(d.tb, img, d.predicate))
}

// signed judges it in every way that it can be signed.
func (d *draft) signed(check func(v *image.Verdict, err error)) {
	d.tb.Helper()
	check(judge(d.tb, d.sealed(), newShelf()))
	check(judge(d.tb, d.image(), stated(d.tb, d.image(), d.predicate)))
	check(d.twiceSigned())
}

// An image that declares something else than its author signed.
func TestDeclarations(t *testing.T) {
	t.Parallel()
	bake := func(name string, change func(string) string) func(*draft) {
		return func(d *draft) {
			d.tb.Helper()
			e := d.find(".immure/" + name)
			old := e.data
			e.data = change(old)
			if e.data == old {
				d.tb.Fatalf("%s is as it was: %s", name, old)
			}
			if name == "seccomp.json" {
				d.config.Labels["io.containers.seccomp.profile"] = e.data
			}
		}
	}
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	label := func(name, value string) func(*draft) {
		return func(d *draft) { d.config.Labels[name] = value }
	}
	cases := map[string]func(*draft){
		"boundary: a space more":  bake("boundary.json", func(s string) string { return s + " " }),
		"boundary: a newline":     bake("boundary.json", func(s string) string { return s + "\n" }),
		"boundary: a limit":       bake("boundary.json", replace(`"noNewPrivileges":"on"`, `"noNewPrivileges":"off"`)),
		"boundary: a port":        bake("boundary.json", replace(`"8080/tcp"`, `"8081/tcp"`)),
		"boundary: empty":         bake("boundary.json", func(string) string { return "" }),
		"boundary: no JSON":       bake("boundary.json", func(string) string { return "{" }),
		"boundary: gone":          func(d *draft) { d.drop(".immure/boundary.json") },
		"boundary: another's":     func(d *draft) { d.sign(looser) },
		"label: service":          label("dev.immure.service", "other"),
		"label: epoch":            label("dev.immure.epoch", "8"),
		"label: epoch with a 0":   label("dev.immure.epoch", "07"),
		"label: boundary":         label("dev.immure.boundary", "sha256:"+strings.Repeat("0", 64)),
		"label: rootfs":           label("dev.immure.rootfs", "writable"),
		"label: filter":           label("io.containers.seccomp.profile", `{"defaultAction":"SCMP_ACT_ALLOW"}`),
		"label: capabilities":     label("io.containers.capabilities", "SYS_ADMIN"),
		"label: no service":       func(d *draft) { delete(d.config.Labels, "dev.immure.service") },
		"label: no epoch":         func(d *draft) { delete(d.config.Labels, "dev.immure.epoch") },
		"label: no boundary":      func(d *draft) { delete(d.config.Labels, "dev.immure.boundary") },
		"label: no rootfs":        func(d *draft) { delete(d.config.Labels, "dev.immure.rootfs") },
		"label: no filter":        func(d *draft) { delete(d.config.Labels, "io.containers.seccomp.profile") },
		"label: none":             func(d *draft) { d.config.Labels = nil },
		"label: a terminal's own": label("dev.immure.service", "hello\x1b[2J\nimmure: verified"),
	}
	for _, name := range []string{"seccomp.json", "seccomp-envelope.json"} {
		for what, change := range map[string]func(string) string{
			"allows all":      func(string) string { return `{"defaultAction":"SCMP_ACT_ALLOW"}` },
			"a call more":     replace(`"exit"`, `"bpf","exit"`),
			"a call less":     replace(`"exit",`, ""),
			"logs":            replace(`"SCMP_ACT_ERRNO"`, `"SCMP_ACT_LOG"`),
			"success":         replace(`"defaultErrnoRet":1`, `"defaultErrnoRet":0`),
			"another machine": replace(`"SCMP_ARCH_X86_64"`, `"SCMP_ARCH_AARCH64"`),
			"a machine more":  replace(`["SCMP_ARCH_X86_64"]`, `["SCMP_ARCH_X86_64","SCMP_ARCH_X86"]`),
			"a listener":      replace(`"syscalls":`, `"listenerPath":"/run/x","syscalls":`),
			"twice":           replace(`{"defaultAction":`, `{"defaultAction":"SCMP_ACT_ALLOW","defaultAction":`),
			"in two cases":    replace(`{"defaultAction":`, `{"DefaultAction":"SCMP_ACT_ALLOW","defaultAction":`),
			"an unknown key":  replace(`{"defaultAction":`, `{"x":1,"defaultAction":`),
			"a space":         replace(`{`, `{ `),
			"empty":           func(string) string { return "" },
		} {
			cases[name+": "+what] = bake(name, change)
		}
		cases[name+": gone"] = func(d *draft) {
			d.drop(".immure/" + name)
			if name == "seccomp.json" {
				delete(d.config.Labels, "io.containers.seccomp.profile")
			}
		}
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDraft(t, 7)
			change(d)
			_, err := d.twiceSigned()
			refused(t, err, "declarations")
		})
	}
}

// However it was signed, each kind of declaration is judged.
func TestDeclarationsOfEachSignature(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		facet  string
		change func(*draft)
	}{
		"boundary": {"declarations", func(d *draft) { d.find(".immure/boundary.json").data += "\n" }},
		"filter":   {"declarations", func(d *draft) { d.drop(".immure/seccomp.json") }},
		"envelope": {"declarations", func(d *draft) { d.drop(".immure/seccomp-envelope.json") }},
		"label":    {"declarations", func(d *draft) { d.config.Labels["dev.immure.epoch"] = "2" }},
		"program":  {"process.args", func(d *draft) { d.config.Cmd = nil }},
		"user":     {"user.uid", func(d *draft) { d.config.User = "" }},
		"volume":   {"mounts", func(d *draft) { d.config.Volumes = map[string]struct{}{"/": {}} }},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft(t, 1)
			c.change(d)
			d.signed(func(_ *image.Verdict, err error) { refused(t, err, c.facet) })
		})
	}
}

// What an image may leave out or say in another way, and what its boundary
// allows: no test above refuses because everything is refused.
func TestDeclarationsThatAgree(t *testing.T) {
	t.Parallel()
	resign := func(change func(*attest.Predicate)) func(*draft) {
		return func(d *draft) { d.sign(change); d.declare() }
	}
	chown := grant.Name("CAP_NET_BIND_SERVICE")
	for name, change := range map[string]func(*draft){
		"as built":                func(*draft) {},
		"another boundary":        resign(looser),
		"all in the entry point":  func(d *draft) { d.config.Entrypoint, d.config.Cmd = []string{"/usr/bin/hello", "-listen"}, nil },
		"no directory":            func(d *draft) { d.config.WorkingDir = "" },
		"another variable of one": func(d *draft) { d.config.Env = []string{"HELLO_X=", "HELLO_Y=1"} },
		"no variables":            func(d *draft) { d.config.Env = nil },
		"no ports":                func(d *draft) { d.config.ExposedPorts = nil },
		"a port of TCP":           func(d *draft) { d.config.ExposedPorts = map[string]struct{}{"8080": {}} },
		"its volume":              func(d *draft) { d.config.Volumes = map[string]struct{}{"/data": {}} },
		"no health check":         func(d *draft) { d.config.Healthcheck = &v1.HealthConfig{Test: []string{"NONE"}} },
		"other labels":            func(d *draft) { d.config.Labels["org.opencontainers.image.title"] = "hello" },
		"no capabilities":         func(d *draft) { d.config.Labels["io.containers.capabilities"] = "" },
		"a capability": func(d *draft) {
			resign(func(p *attest.Predicate) {
				for _, b := range []*harden.Boundary{&p.Service, &p.Envelope} {
					b.Capabilities.Bounding = order.Of(chown)
					b.Capabilities.Permitted, b.Capabilities.Effective = order.Of(chown), order.Of(chown)
				}
			})(d)
			d.config.Labels["io.containers.capabilities"] = "NET_BIND_SERVICE"
		},
		"no filter of the envelope": resign(func(p *attest.Predicate) { p.Envelope.Syscalls = harden.Unconfined() }),
		"no filters": resign(func(p *attest.Predicate) {
			p.Service.Syscalls, p.Envelope.Syscalls = harden.Unconfined(), harden.Unconfined()
		}),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft(t, 1)
			change(d)
			d.signed(func(v *image.Verdict, err error) {
				must(t, err)
				if same, err := v.Predicate.Equal(d.predicate); err != nil || !same {
					t.Errorf("got %+v: %v", v.Predicate, err)
				}
			})
		})
	}
}

// A filter where the boundary has none.
func TestFilterForNone(t *testing.T) {
	for _, name := range []string{"seccomp.json", "seccomp-envelope.json"} {
		d := newDraft(t, 1)
		filter := *d.find(".immure/" + name)
		d.sign(func(p *attest.Predicate) {
			p.Service.Syscalls, p.Envelope.Syscalls = harden.Unconfined(), harden.Unconfined()
		})
		d.declare()
		d.declared = append(d.declared, filter)
		if name == "seccomp.json" {
			d.config.Labels["io.containers.seccomp.profile"] = filter.data
		}
		d.signed(func(_ *image.Verdict, err error) { refused(t, err, "declarations", name) })
	}
}
