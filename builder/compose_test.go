package builder

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/profiles"
)

const head = "service: hello\nfrom: {go: .}\nrun: {args: [/usr/bin/hello]}\n"

func parse(t testing.TB, text string) *servicefile.File {
	t.Helper()
	f, err := servicefile.Parse("immure.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var someFiles = found{executable: "/usr/bin/hello", rights: []grant.PathRight{"read /usr/bin/hello", "execute /usr/bin/hello", "read /etc/hello"}}

// composed gives the pair of boundaries of a service file.
func composed(t testing.TB, text string) (*composer, harden.Pair, error) {
	t.Helper()
	f := parse(t, text)
	if err := f.CheckWaivers(now); err != nil {
		t.Fatal(err)
	}
	c, err := compose(f, someFiles)
	if err != nil {
		return nil, harden.Pair{}, err
	}
	env, err := envelope(f, c.b)
	return c, harden.Pair{Service: c.b, Envelope: env}, err
}

func TestCompose(t *testing.T) {
	for name, c := range map[string]struct {
		yaml string
		want map[string]string // facets of the service
	}{
		"least": {head, map[string]string{
			"network.listen": "none", "network.connect": "none", "exec": "none", "rootfs": "readOnly", "noNewPrivileges": "on",
			"capabilities.bounding": "none", "user.uid": "65532", "user.gid": "65532", "process.args": `["/usr/bin/hello"]`,
			"process.cwd": "/", "process.executable": "/usr/bin/hello", "sysctls": "none", "resources.memoryMaxBytes": "any",
			"process.env": defaultPath,
		}},
		"stated": {head + "boundary: {listen: [8080/tcp], connect: ['db.example:5432/tcp'], memory: 1Gi, pids: 9, cpu: 1.5}\n", map[string]string{
			"network.listen": "8080/tcp", "network.connect": "db.example:5432/tcp", "resources.memoryMaxBytes": "1073741824",
			"resources.pidsMax": "9", "resources.cpuMaxMillis": "1500", "sysctls": "none",
		}},
		"low port":                   {head + "boundary: {listen: [443/tcp, 80/tcp]}\n", map[string]string{"sysctls": "net.ipv4.ip_unprivileged_port_start=80"}},
		"low port with a capability": {head + "envelope: strict\nboundary: {listen: [80/tcp], capabilities: [CAP_NET_BIND_SERVICE]}\n", map[string]string{"sysctls": "none", "capabilities.ambient": "CAP_NET_BIND_SERVICE"}},
		"own path":                   {strings.Replace(head, "]}", "], env: [PATH=/usr/bin]}", 1), map[string]string{"process.env": "PATH=/usr/bin"}},
		"any user but root":          {strings.Replace(head, "]}", "], user: any-nonroot}", 1), map[string]string{"user.uid": "1..2147483647"}},
		"waived calls":               {head + "envelope: strict\nboundary: {syscalls: any}\nwaivers: [{facet: syscalls, grant: any, reason: test, expires: 2030-01-01}]\n", map[string]string{"syscalls": "unconfined"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, pair, err := composed(t, c.yaml)
			if err != nil {
				t.Fatal(err)
			}
			if err := pair.Check(); err != nil {
				t.Error(err)
			}
			for facet, want := range c.want {
				if got := pair.Service.Text(facet); got != want {
					t.Errorf("%s: %s, want %s", facet, got, want)
				}
			}
		})
	}
}

func TestComposeMounts(t *testing.T) {
	places := func(yaml string) string {
		_, pair, err := composed(t, yaml)
		if err != nil {
			t.Fatal(err)
		}
		var at []string
		for _, s := range pair.Service.Mounts.Members() {
			at = append(at, s.At+" "+s.Kind)
		}
		return strings.Join(at, ", ")
	}
	const base = "/dev tmpfs, /dev/pts devpts, /dev/shm tmpfs, /proc proc"
	for yaml, want := range map[string]string{
		head: base,
		head + "boundary: {files: {scratch: [{at: /tmp, size: 1Mi}]}}\n": base + ", /tmp tmpfs",
		head + "boundary: {mounts: [{at: /etc/hello, kind: config}]}\n":  base[:len("/dev tmpfs, /dev/pts devpts, /dev/shm tmpfs")] + ", /etc/hello config, /proc proc",
		head + "immutability: strict\n":                                  "/dev tmpfs, /dev/pts devpts, /proc proc",
	} {
		if got := places(yaml); got != want {
			t.Errorf("%s\ngives %s, want %s", yaml, got, want)
		}
	}
}

func TestComposeRefuses(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"beyond restricted":  {head + "boundary: {syscalls: [userfaultfd]}\nwaivers: [{facet: syscalls, grant: userfaultfd, reason: test, expires: 2030-01-01}]\n", "userfaultfd"},
		"capability":         {head + "boundary: {capabilities: [CAP_CHOWN]}\nwaivers: [{facet: capabilities, grant: CAP_CHOWN, reason: test, expires: 2030-01-01}]\n", "more than a restricted request has: capabilities CAP_CHOWN: leave it out, write envelope: strict"},
		"root":               {strings.Replace(head, "]}", "], user: 0:0}", 1) + "waivers: [{facet: user.uid, grant: '0', reason: test, expires: 2030-01-01}]\n", "more than a restricted request has: user.uid 0"},
		"host path":          {head + "boundary: {mounts: [{at: /data, kind: bind, source: /srv}]}\nwaivers: [{facet: mounts, grant: '/data bind of /srv nodev,noexec,nosuid,ro', reason: test, expires: 2030-01-01}]\n", "more than a restricted request has: mounts /data bind of /srv"},
		"envelope facet":     {head + "envelope: {rootfs: sometimes}\n", `envelope: rootfs: "sometimes" is none of`},
		"envelope part":      {head + "envelope: {mounts: [{at: /x, kind: config, colour: red}]}\n", "envelope: mounts:"},
		"envelope number":    {head + "envelope: {resources.pidsMax: 1.5}\n", "resources.pidsMax"},
		"envelope too tight": {head + "boundary: {listen: [80/tcp]}\nenvelope: {network.listen: []}\n", "the service is not within it: network.listen: got 80/tcp"},
		"host's namespace":   {head + "envelope: {namespaces.pid: host}\n", `namespaces.pid "host" needs a waiver`},
		"writable root":      {head + "envelope: {rootfs: writable}\n", `rootfs "writable" needs a waiver`},
		"wide envelope":      {head + "envelope: {process.env: ['*']}\n", "immure.yaml:4:12: envelope: process.env \"*\" needs a waiver"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := composed(t, c.yaml)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "immure.yaml:") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestEnvelopeFacets(t *testing.T) {
	_, pair, err := composed(t, head+"boundary: {pids: 8}\nenvelope:\n  process.env: ['PATH=*', 'B_*', 'A_*']\n  resources.pidsMax: 9007199254740991\n  namespaces.network: host\n"+
		"waivers: [{facet: namespaces.network, grant: host, reason: test, expires: 2030-01-01}]\n")
	if err != nil {
		t.Fatal(err)
	}
	for facet, want := range map[string]string{"process.env": "A_*, B_*, PATH=*", "resources.pidsMax": "9007199254740991", "namespaces.network": "host"} {
		if got := pair.Envelope.Text(facet); got != want {
			t.Errorf("%s: %s, want %s", facet, got, want)
		}
	}
}

// What is more than restricted passes where the envelope states it in words.
func TestEnvelopeStatesMoreThanRestricted(t *testing.T) {
	const waivers = "waivers: [{facet: capabilities, grant: CAP_CHOWN, reason: test, expires: 2030-01-01}]\n"
	const stated = head + "boundary: {capabilities: [CAP_CHOWN]}\n" + waivers
	facets := "envelope:\n"
	for _, set := range []string{"ambient", "bounding", "effective", "inheritable", "permitted"} {
		facets += "  capabilities." + set + ": [CAP_CHOWN]\n"
	}
	for _, envelope := range []string{facets, "envelope: strict\n"} {
		if _, pair, err := composed(t, stated+envelope); err != nil || pair.Envelope.Text("capabilities.bounding") != "CAP_CHOWN" {
			t.Errorf("%s%v", envelope, err)
		}
	}
	// The envelope alone needs the waiver as well.
	if _, _, err := composed(t, head+facets); err == nil || !strings.Contains(err.Error(), "needs a waiver") {
		t.Errorf("an envelope wider than its service: %v", err)
	}
	// A call or a port too many is no different.
	if _, _, err := composed(t, head+"envelope: {network.listen: [1-1000/tcp, 2000-3000/tcp]}\n"); err == nil || !strings.Contains(err.Error(), "needs a waiver") {
		t.Errorf("ports together: %v", err)
	}
}

// TestOrigins checks that every grant of both boundaries has exactly one.
func TestOrigins(t *testing.T) {
	c, pair, err := composed(t, head+"boundary: {listen: [80/tcp], files: {scratch: [/tmp], read: [/etc/hello]}, syscalls: [getcpu], mounts: [{at: /c, kind: config}]}\n")
	if err != nil {
		t.Fatal(err)
	}
	list := append(c.origins.list("service", pair.Service), envelopeOrigins(c.file, pair.Envelope)...)
	from := func(boundary, facet, grant string) (out []string) {
		for _, o := range list {
			if o.Boundary == boundary && o.Facet == facet && slices.Contains(o.Grants, grant) {
				out = append(out, o.From)
			}
		}
		return out
	}
	for name, b := range map[string]harden.Boundary{"service": pair.Service, "envelope": pair.Envelope} {
		for _, facet := range harden.Facets() {
			for _, g := range b.Grants(facet) {
				if got := from(name, facet, g); len(got) != 1 || got[0] == "" {
					t.Errorf("%s %s %q comes from %q", name, facet, g, got)
				}
			}
		}
	}
	for _, c := range []struct{ facet, grant, want string }{
		{"network.listen", "80/tcp", "stated"},
		{"syscalls", "getcpu", "stated"},
		{"syscalls", "futex", "profile:go-static"},
		{"sysctls", "net.ipv4.ip_unprivileged_port_start=80", "rule:low-ports"},
		{"fileRights", "execute /usr/bin/hello", "rule:files"},
		{"fileRights", "read /etc/hello", "stated"},
		{"user.uid", "65532", "default:server"},
		{"rootfs", "readOnly", "profile:go-static"},
	} {
		if got := from("service", c.facet, c.grant); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s %q comes from %q, want %s", c.facet, c.grant, got, c.want)
		}
	}
}

// TestOrderDoesNotMatter composes permutations of every list.
func TestOrderDoesNotMatter(t *testing.T) {
	type lists struct{ listen, connect, scratch, env, calls []string }
	text := func(l lists) string {
		list := func(s []string) string { return "['" + strings.Join(s, "', '") + "']" }
		return fmt.Sprintf("service: hello\nfrom: {go: .}\nrun: {args: [/usr/bin/hello], env: %s}\nboundary: {listen: %s, connect: %s, files: {scratch: %s}, syscalls: %s}\n",
			list(l.env), list(l.listen), list(l.connect), list(l.scratch), list(l.calls))
	}
	some := func(all ...string) *rapid.Generator[[]string] {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, len(all), rapid.ID)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := lists{
			listen:  some("80/tcp", "8080/tcp", "53/udp", "9000-9100/tcp").Draw(t, "listen"),
			connect: some("10.0.0.0/8:443/tcp", "db.example:5432/tcp", "192.0.2.1:53/udp").Draw(t, "connect"),
			scratch: some("/tmp", "/run/hello", "/var/cache/hello").Draw(t, "scratch"),
			env:     some("A=1", "B_*", "C=*").Draw(t, "env"),
			calls:   some("getcpu", "mincore", "sysinfo").Draw(t, "calls"),
		}
		b := lists{
			rapid.Permutation(a.listen).Draw(t, "listen'"), rapid.Permutation(a.connect).Draw(t, "connect'"),
			rapid.Permutation(a.scratch).Draw(t, "scratch'"), rapid.Permutation(a.env).Draw(t, "env'"), rapid.Permutation(a.calls).Draw(t, "calls'"),
		}
		one, other := encoded(t, text(a)), encoded(t, text(b))
		if !bytes.Equal(one, other) {
			t.Errorf("%s\nand\n%s\ngive different boundaries", text(a), text(b))
		}
	})
}

func encoded(t *rapid.T, yaml string) []byte {
	f, err := servicefile.Parse("immure.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	c, err := compose(f, someFiles)
	if err != nil {
		t.Fatal(err)
	}
	env, err := envelope(f, c.b)
	if err != nil {
		t.Fatal(err)
	}
	data, err := harden.Pair{Service: c.b, Envelope: env}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDefaultProfilesExist(t *testing.T) {
	for _, yaml := range []string{head, head + "kind: job\n", strings.Replace(head, "go: .", "binary: x", 1)} {
		f := parse(t, yaml)
		if !slices.Contains(profiles.Names(), defaultProfile(f)) {
			t.Errorf("no profile %q", defaultProfile(f))
		}
	}
}
