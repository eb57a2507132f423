//go:build e2e

package hostile_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/internal/oci/content"
)

// A said is what one image says of its boundary in one place.
type said struct {
	predicate attest.Predicate
	boundary  []byte
	labels    map[string]string
}

// says puts together what the labels, the baked files and the seal of an image
// with the predicate would be.
func (f *fixture) says(tb testing.TB, p attest.Predicate) said {
	tb.Helper()
	boundary := canonical(tb, harden.Pair{Envelope: p.Envelope, Service: p.Service})
	config, err := f.img.ConfigFile()
	must(tb, err)
	labels := maps.Clone(config.Config.Labels)
	sum := sha256.Sum256(boundary)
	labels["dev.immure.service"] = p.Name
	labels["dev.immure.epoch"] = fmt.Sprint(p.Epoch)
	labels["dev.immure.boundary"] = "sha256:" + hex.EncodeToString(sum[:])
	labels["dev.immure.rootfs"] = string(p.Service.Rootfs)
	return said{p, boundary, labels}
}

// Labels, baked files and seal: one of them differs from the other two, each in
// turn, and all three differ. Author and key are the right ones each time; with
// and without a statement beside the image.
func TestDeclarationsThatDisagree(t *testing.T) {
	f := service(t)
	a := f.says(t, f.predicate)
	b := f.says(t, f.other(t, f.predicate.Epoch, func(p *attest.Predicate) {
		p.Envelope.Resources.PIDsMax = order.AtMost(65)
		p.Service.Resources.PIDsMax = order.AtMost(63)
	}))
	c := f.says(t, f.other(t, f.predicate.Epoch, func(p *attest.Predicate) {
		p.Envelope.Resources.PIDsMax = order.AtMost(66)
	}))
	for _, tc := range []struct {
		name                string
		labels, files, seal said
		good                bool
	}{
		{"all agree", b, b, b, true},
		{"the labels differ", b, a, a, false},
		{"the files differ", a, b, a, false},
		{"the seal differs", a, a, b, false},
		{"each says its own", a, b, c, false},
		{"each says another", c, a, b, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			files := flatten(t, f.img)
			write(t, files, "/.immure/boundary.json", tc.files.boundary)
			f.reseal(t, files, tc.seal.predicate)
			img := assemble(t, f.img, func(c *v1.Config) { c.Labels = tc.labels.labels }, layer(t, files))
			check := func(t *testing.T, ref string) {
				if r := f.verify(t, ref); tc.good {
					r.allowed(t)
				} else {
					r.refused(t, 1, "immure: refused: declarations: ")
				}
			}
			offer(t, img, nil, check)
			offer(t, img, []content.Artifact{f.about(t, img, tc.seal.predicate)}, check)
		})
	}
}

// Each label by itself is changed, dropped, or added, where the seal speaks for
// the rest.
func TestLabels(t *testing.T) {
	f := service(t)
	config, err := f.img.ConfigFile()
	must(t, err)
	layers, err := f.img.Layers()
	must(t, err)
	try := func(name string, change func(labels map[string]string)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			img := assemble(t, f.img, func(c *v1.Config) { change(c.Labels) }, layers...)
			f.verify(t, inLayout(t, img)).refused(t, 1, "immure: refused: declarations: found label ")
		})
	}
	for name, value := range config.Config.Labels {
		try(name+" gone", func(l map[string]string) { delete(l, name) })
		try(name+" empty", func(l map[string]string) { l[name] = "" })
		try(name+" longer", func(l map[string]string) { l[name] = value + " " })
		try(name+" a bit else", func(l map[string]string) { l[name] = string(flip([]byte(value), len(value)-1)) })
	}
	try("capabilities", func(l map[string]string) { l["io.containers.capabilities"] = "SYS_ADMIN" })
	try("all gone", func(l map[string]string) { clear(l) })
}

// What else a configuration makes an engine do, where no seal covers it.
func TestConfigurations(t *testing.T) {
	f := service(t)
	layers, err := f.img.Layers()
	must(t, err)
	for _, tc := range []struct {
		name, facet string
		change      func(c *v1.Config)
	}{
		{"another program", "process.args", func(c *v1.Config) { c.Entrypoint = []string{"/proc/self/exe"} }},
		{"no program", "process.args", func(c *v1.Config) { c.Entrypoint = nil }},
		{"an argument more", "process.args", func(c *v1.Config) { c.Entrypoint = append(c.Entrypoint, "-debug") }},
		{"a command", "process.args", func(c *v1.Config) { c.Cmd = []string{"-debug"} }},
		{"a command alone", "process.args", func(c *v1.Config) { c.Entrypoint, c.Cmd = nil, []string{"/bin/sh"} }},
		{"another directory", "process.cwd", func(c *v1.Config) { c.WorkingDir = "/usr" }},
		{"a directory of a descriptor", "process.cwd", func(c *v1.Config) { c.WorkingDir = "/proc/self/fd/7" }},
		{"a loader variable", "process.env", func(c *v1.Config) { c.Env = append(c.Env, "LD_PRELOAD=/scratch/x.so") }},
		{"another variable", "process.env", func(c *v1.Config) { c.Env = append(c.Env, "HOME=/scratch") }},
		{"another path", "process.env", func(c *v1.Config) { c.Env = []string{"PATH=/scratch"} }},
		{"a variable without a value", "process.env", func(c *v1.Config) { c.Env = append(c.Env, "LD_DEBUG") }},
		{"a port more", "network.listen", func(c *v1.Config) { c.ExposedPorts["22/tcp"] = struct{}{} }},
		{"a range of ports", "network.listen", func(c *v1.Config) { c.ExposedPorts["8080-8090/tcp"] = struct{}{} }},
		{"a port of another protocol", "network.listen", func(c *v1.Config) { c.ExposedPorts["8080/udp"] = struct{}{} }},
		{"a port that is none", "network.listen", func(c *v1.Config) { c.ExposedPorts["ssh"] = struct{}{} }},
		{"a volume", "mounts", func(c *v1.Config) { c.Volumes = map[string]struct{}{"/data": {}} }},
		{"a volume over the program", "mounts", func(c *v1.Config) { c.Volumes = map[string]struct{}{"/usr/bin": {}} }},
		{"a volume over the seal", "mounts", func(c *v1.Config) { c.Volumes = map[string]struct{}{"/.immure": {}} }},
		{"a volume over scratch", "mounts", func(c *v1.Config) { c.Volumes = map[string]struct{}{"/scratch": {}} }},
		{"a health check", "exec", func(c *v1.Config) { c.Healthcheck = &v1.HealthConfig{Test: []string{"CMD", "/usr/bin/service"}} }},
		{"a health check by a shell", "exec", func(c *v1.Config) { c.Healthcheck = &v1.HealthConfig{Test: []string{"CMD-SHELL", "id"}} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			img := assemble(t, f.img, tc.change, layers...)
			f.verify(t, inLayout(t, img)).refused(t, 1, "immure: refused: "+tc.facet+": found image configuration")
			f.verify(t, inRegistry(t, img, f.about(t, img, f.predicate))).refused(t, 1, "immure: refused: "+tc.facet+": ")
		})
	}
}

// A configuration that one reader understands as this and another as that.
func TestTwofoldConfigurations(t *testing.T) {
	f := service(t)
	config, err := f.img.RawConfigFile()
	must(t, err)
	from := func(old, new string) string {
		changed := strings.Replace(string(config), old, new, 1)
		if changed == string(config) {
			t.Fatalf("no %s in the configuration", old)
		}
		return changed
	}
	for name, text := range map[string]string{
		"config twice":           from(`"config":`, `"config":{"User":"0:0"},"config":`),
		"config in two cases":    from(`"config":`, `"Config":{"User":"0:0"},"config":`),
		"config in another case": from(`"config":`, `"Config":`),
		"the user twice":         from(`"User":`, `"User":"0:0","User":`),
		"the user in two cases":  from(`"User":`, `"user":"0:0","User":`),
		"the user in another":    from(`"User":`, `"USER":`),
		"a label twice":          from(`"dev.immure.epoch":`, `"dev.immure.epoch":"1","dev.immure.epoch":`),
		"a second document":      string(config) + `{"config":{"User":"0:0"}}`,
		"not UTF-8":              from(`"linux"`, "\"linux\xff\""),
		"the program twice":      from(`"Entrypoint":`, `"Entrypoint":["/bin/sh"],"Entrypoint":`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := []byte(text)
			raw := bytes.Replace(f.raw, []byte(descriptor(config, "").Digest.String()), []byte(descriptor(data, "").Digest.String()), 1)
			raw = bytes.Replace(raw, fmt.Appendf(nil, `"size":%d`, len(config)), fmt.Appendf(nil, `"size":%d`, len(data)), 1)
			f.verify(t, rawLayout(t, nil, f.dir, raw, data)).refused(t, 2, "configuration")
		})
	}
}

// A filter that was baked and sealed is not the one that the boundary means.
func TestBakedFilters(t *testing.T) {
	f := service(t)
	truth := string(bytesOf(t, flatten(t, f.img), "/.immure/seccomp.json"))
	for name, text := range map[string]string{
		"allows all":      `{"defaultAction":"SCMP_ACT_ALLOW"}`,
		"a call more":     strings.Replace(truth, `"accept"`, `"bpf","accept"`, 1),
		"a call less":     strings.Replace(truth, `"accept",`, "", 1),
		"logs":            strings.Replace(truth, `"SCMP_ACT_ERRNO"`, `"SCMP_ACT_LOG"`, 1),
		"another machine": strings.Replace(truth, `"SCMP_ARCH_X86_64"`, `"SCMP_ARCH_AARCH64"`, 1),
		"a second arch":   strings.Replace(truth, `["SCMP_ARCH_X86_64"]`, `["SCMP_ARCH_X86_64","SCMP_ARCH_X86"]`, 1),
		"a listener":      strings.Replace(truth, `"syscalls":`, `"listenerPath":"/run/x","syscalls":`, 1),
		"a flag":          strings.Replace(truth, `"architectures":`, `"flags":["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],"architectures":`, 1),
		"twice":           strings.Replace(truth, `{"defaultAction":`, `{"defaultAction":"SCMP_ACT_ALLOW","defaultAction":`, 1),
		"in two cases":    strings.Replace(truth, `{"defaultAction":`, `{"DefaultAction":"SCMP_ACT_ALLOW","defaultAction":`, 1),
		"an unknown key":  strings.Replace(truth, `{"defaultAction":`, `{"x":1,"defaultAction":`, 1),
		"gone":            "",
	} {
		for _, path := range []string{"/.immure/seccomp.json", "/.immure/seccomp-envelope.json"} {
			t.Run(name+" in "+path, func(t *testing.T) {
				t.Parallel()
				if text == truth {
					t.Fatal("nothing was changed")
				}
				files := flatten(t, f.img)
				if text == "" {
					files.Remove(path)
				} else {
					write(t, files, path, []byte(text))
				}
				f.reseal(t, files, f.predicate)
				img := assemble(t, f.img, func(c *v1.Config) {
					if path == "/.immure/seccomp.json" {
						c.Labels["io.containers.seccomp.profile"] = text
					}
				}, layer(t, files))
				f.verify(t, inLayout(t, img, f.about(t, img, f.predicate))).refused(t, 1, "immure: refused: declarations: found "+path)
			})
		}
	}
}
