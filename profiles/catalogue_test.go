package profiles

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/immure-dev/immure/harden"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestNames(t *testing.T) {
	want := []string{"c-dynamic", "go-static", "job", "nginx", "redis"}
	if got := Names(); !slices.Equal(got, want) {
		t.Errorf("Names() = %q, want %q", got, want)
	}
}

func TestGetUnknown(t *testing.T) {
	for name, get := range map[string]func() error{
		"profile": func() error { _, err := Get("apache"); return err },
		"group":   func() error { _, _, _, err := Group("apache"); return err },
	} {
		err := get()
		if err == nil || !strings.Contains(err.Error(), "nginx") || !strings.Contains(err.Error(), "redis") {
			t.Errorf("unknown %s: error %v does not list the names", name, err)
		}
	}
	if _, err := GetFor("redis", "riscv64"); err == nil {
		t.Error("profile for an architecture that nothing is known of")
	}
}

// Every profile states every facet, in canonical form, and says where its calls
// come from.
func TestProfilesAreComplete(t *testing.T) {
	for _, name := range Names() {
		for _, arch := range []string{"x86_64", "aarch64"} {
			p, err := GetFor(name, arch)
			if err != nil {
				t.Fatal(err)
			}
			data, err := p.Boundary.Encode()
			if err != nil {
				t.Errorf("%s on %s: %v", name, arch, err)
			}
			if again, err := harden.Decode(data); err != nil || !again.Within(p.Boundary) || !p.Boundary.Within(again) {
				t.Errorf("%s on %s: does not survive encoding: %v", name, arch, err)
			}
			if p.Name != name || p.Summary == "" || len(p.Sources) == 0 || len(p.Groups) == 0 {
				t.Errorf("%s: name, summary, sources or groups are missing", name)
			}
		}
	}
}

func TestGroupsHaveReasons(t *testing.T) {
	used := make(map[string]bool)
	for _, p := range data().profiles {
		for _, g := range p.Groups {
			used[g] = true
		}
	}
	for name, f := range data().floors {
		if f.Source == "" || len(f.Calls) == 0 {
			t.Errorf("floor %s: no source or no calls", name)
		}
		for _, g := range f.Groups {
			used[g] = true
		}
	}
	for name, g := range data().groups {
		if _, err := data().rules(name); err != nil {
			t.Error(err)
		}
		if g.Why == "" || len(g.Sources) == 0 {
			t.Errorf("group %q has no reason or no source", name)
		}
		if !slices.IsSorted(g.Calls) {
			t.Errorf("group %q: calls are not sorted", name)
		}
		if !used[name] {
			t.Errorf("group %q is in no profile and no floor", name)
		}
	}
}

// The catalogue's numbers are the kernel's.
func TestConstants(t *testing.T) {
	const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID |
		unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP
	want := map[string]uint64{
		"PROT_WRITE": unix.PROT_WRITE, "PROT_EXEC": unix.PROT_EXEC,
		"AF_UNIX": unix.AF_UNIX, "AF_INET": unix.AF_INET, "AF_INET6": unix.AF_INET6,
		"SOCK_STREAM": unix.SOCK_STREAM, "SOCK_DGRAM": unix.SOCK_DGRAM,
		"SOCK_TYPE":  0xffffffff &^ (unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK),
		"IPPROTO_IP": unix.IPPROTO_IP, "IPPROTO_TCP": unix.IPPROTO_TCP, "IPPROTO_UDP": unix.IPPROTO_UDP, "IPPROTO_IPV6": unix.IPPROTO_IPV6,
		"IP_TOS": unix.IP_TOS, "IP_TTL": unix.IP_TTL, "IP_PKTINFO": unix.IP_PKTINFO, "IP_MTU_DISCOVER": unix.IP_MTU_DISCOVER,
		"IP_RECVERR": unix.IP_RECVERR, "IP_BIND_ADDRESS_NO_PORT": unix.IP_BIND_ADDRESS_NO_PORT,
		"IPV6_UNICAST_HOPS": unix.IPV6_UNICAST_HOPS, "IPV6_MTU_DISCOVER": unix.IPV6_MTU_DISCOVER, "IPV6_RECVERR": unix.IPV6_RECVERR,
		"IPV6_V6ONLY": unix.IPV6_V6ONLY, "IPV6_RECVPKTINFO": unix.IPV6_RECVPKTINFO, "IPV6_TCLASS": unix.IPV6_TCLASS,
		"SOL_SOCKET": unix.SOL_SOCKET, "SO_REUSEADDR": unix.SO_REUSEADDR, "SO_BROADCAST": unix.SO_BROADCAST, "SO_SNDBUF": unix.SO_SNDBUF,
		"SO_RCVBUF": unix.SO_RCVBUF, "SO_KEEPALIVE": unix.SO_KEEPALIVE, "SO_LINGER": unix.SO_LINGER, "SO_REUSEPORT": unix.SO_REUSEPORT,
		"SO_RCVTIMEO": unix.SO_RCVTIMEO, "SO_SNDTIMEO": unix.SO_SNDTIMEO,
		"TCP_NODELAY": unix.TCP_NODELAY, "TCP_CORK": unix.TCP_CORK, "TCP_KEEPIDLE": unix.TCP_KEEPIDLE, "TCP_KEEPINTVL": unix.TCP_KEEPINTVL,
		"TCP_KEEPCNT": unix.TCP_KEEPCNT, "TCP_DEFER_ACCEPT": unix.TCP_DEFER_ACCEPT, "TCP_QUICKACK": unix.TCP_QUICKACK,
		"TCP_USER_TIMEOUT": unix.TCP_USER_TIMEOUT, "TCP_FASTOPEN": unix.TCP_FASTOPEN, "TCP_NOTSENT_LOWAT": unix.TCP_NOTSENT_LOWAT,
		"CLONE_NEW": newNamespaces, "CLONE_NEW_OR_THREAD": newNamespaces | unix.CLONE_THREAD, "CLONE_THREAD": unix.CLONE_THREAD,
		"F_DUPFD": unix.F_DUPFD, "F_GETFD": unix.F_GETFD, "F_SETFD": unix.F_SETFD, "F_GETFL": unix.F_GETFL, "F_SETFL": unix.F_SETFL,
		"F_GETLK": unix.F_GETLK, "F_SETLK": unix.F_SETLK, "F_SETLKW": unix.F_SETLKW, "F_SETOWN": unix.F_SETOWN,
		"F_DUPFD_CLOEXEC": unix.F_DUPFD_CLOEXEC, "F_SETPIPE_SZ": unix.F_SETPIPE_SZ, "F_GETPIPE_SZ": unix.F_GETPIPE_SZ,
		"TCGETS": unix.TCGETS, "TIOCGWINSZ": unix.TIOCGWINSZ, "FIONREAD": unix.TIOCINQ, "FIONBIO": 0x5421,
		"FIOCLEX": 0x5451, "FIOASYNC": 0x5452,
		"PR_SET_DUMPABLE": unix.PR_SET_DUMPABLE, "PR_SET_NAME": unix.PR_SET_NAME, "PR_GET_NAME": unix.PR_GET_NAME,
		"PR_CAPBSET_READ": unix.PR_CAPBSET_READ, "PR_SET_THP_DISABLE": unix.PR_SET_THP_DISABLE, "PR_SET_VMA": unix.PR_SET_VMA,
		"ARCH_SET_FS": 0x1002, "PERSONALITY_QUERY": 0xffffffff,
	}
	if got := data().constants; !maps.Equal(got, want) {
		for name := range got {
			if got[name] != want[name] {
				t.Errorf("%s is %d, want %d", name, got[name], want[name])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d constants in data/constants.json, %d are checked", len(got), len(want))
		}
	}
}

// constantsOf reads the names of constants in a file of golang.org/x/sys/unix.
func constantsOf(t *testing.T, file, pattern string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatalf("find golang.org/x/sys: %v", err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "unix", file))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
		names = append(names, m[1])
	}
	return names
}

// callsOf are the names of an architecture's system calls.
func callsOf(t *testing.T, file string) []string {
	t.Helper()
	var calls []string
	for _, name := range constantsOf(t, file, `SYS_(\w+)\s+=`) {
		calls = append(calls, strings.ToLower(name))
	}
	slices.Sort(calls)
	return calls
}

// Every call has a number where a profile says so: a misspelt one would be
// dropped by the runtimes without a word.
func TestCallsExist(t *testing.T) {
	for arch, file := range map[string]string{"x86_64": "zsysnum_linux_amd64.go", "aarch64": "zsysnum_linux_arm64.go"} {
		known := callsOf(t, file)
		for _, name := range Names() {
			p, err := GetFor(name, arch)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range p.Boundary.Syscalls.Rules() {
				for _, call := range r.Names {
					if !slices.Contains(known, call) {
						t.Errorf("%s: %s has no system call %q", name, arch, call)
					}
				}
			}
		}
	}
}

// The names are the kernel's. A newer golang.org/x/sys may know more calls.
func TestKernelNames(t *testing.T) {
	known := callsOf(t, "zsysnum_linux_amd64.go")
	if len(Calls()) < 380 || !slices.IsSorted(Calls()) {
		t.Errorf("%d calls, or not sorted", len(Calls()))
	}
	for _, call := range Calls() {
		if !slices.Contains(known, call) {
			t.Errorf("x86_64 has no system call %q", call)
		}
	}
	want := slices.DeleteFunc(constantsOf(t, "zerrors_linux.go", `(?m)^\s(CAP_\w+)\s+= 0x`), func(c string) bool { return c == "CAP_LAST_CAP" })
	got := Capabilities()
	if len(got) != unix.CAP_LAST_CAP+1 || got[unix.CAP_NET_BIND_SERVICE] != "CAP_NET_BIND_SERVICE" || got[unix.CAP_LAST_CAP] != "CAP_CHECKPOINT_RESTORE" {
		t.Errorf("capabilities are not in the order of their numbers: %q", got)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("capabilities %q, want %q", got, want)
	}
}

// What a profile lets through is shown in full, so that a change is seen.
func TestGolden(t *testing.T) {
	for _, name := range Names() {
		p, err := Get(name)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, r := range p.Boundary.Syscalls.Rules() {
			for _, call := range r.Names {
				fmt.Fprintf(&b, "%s %v %s\n", call, r.Args, r.Action)
			}
		}
		got := strings.Join(slices.Sorted(strings.Lines(b.String())), "")
		file := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s lets through other calls than %s says; see what changed, then run go test -update", name, file)
		}
	}
}

func TestParseRulesRefuses(t *testing.T) {
	for _, line := range []string{
		"socket", "socket arg0 in 1", "socket: ", "socket: arg0", "socket: arg6 in 1", "socket: arg9 in 1", "socket: 0 in 1",
		"socket: arg0 in", "socket: arg0 in ", "socket: arg0 in AF_NOWHERE", "socket: arg0 & NOTHING in 1", "socket: arg0 in 1  2",
		"socket: arg0 in -1", "socket: arg0 in 0x1",
	} {
		if rules, err := data().parseRules(line); err == nil {
			t.Errorf("%q was read as %v", line, rules)
		}
	}
}
