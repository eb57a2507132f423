package observe

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

// runcInit is the first process of a created container, with fields that are
// not read left out.
const runcInit = `Name:	runc:[2:INIT]
Umask:	0022
State:	S (sleeping)
Tgid:	4711
Ngid:	0
Pid:	4711
PPid:	4700
Uid:	65532	65532	65532	65532
Gid:	65532	65532	65532	65532
FDSize:	64
Groups:	10 4294967294 
NStgid:	4711	1
Threads:	6
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	0000020000000401
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
Seccomp_filters:	1
`

func TestParseStatus(t *testing.T) {
	got, err := parseStatus([]byte(runcInit))
	want := Status{
		PID: 4711, NoNewPrivs: true, Seccomp: SeccompFilter,
		Bounding: []string{"CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_41"},
		UID:      same(65532), GID: same(65532),
		Groups: []uint32{10, 4294967294}, Umask: 0o022,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestParseStatusRefuses(t *testing.T) {
	for _, c := range []struct{ name, old, new string }{
		{"a missing field", "NoNewPrivs:\t1\n", ""},
		{"a field twice", "NoNewPrivs:\t1\n", "NoNewPrivs:\t1\nNoNewPrivs:\t0\n"},
		{"another flag", "NoNewPrivs:\t1", "NoNewPrivs:\t2"},
		{"a blank more", "NoNewPrivs:\t1", "NoNewPrivs:\t 1"},
		{"an unknown seccomp mode", "Seccomp:\t2", "Seccomp:\t3"},
		{"a short capability set", "CapEff:\t00000000", "CapEff:\t"},
		{"upper case", "0000020000000401", "00000200000004FF"},
		{"three user ids", "Uid:\t65532\t", "Uid:\t"},
		{"a negative user id", "Uid:\t65532", "Uid:\t-1"},
		{"a user id too large", "Uid:\t65532", "Uid:\t4294967296"},
		{"a leading zero", "Uid:\t65532", "Uid:\t065532"},
		{"a group that is no number", "Groups:\t10", "Groups:\tx"},
		{"a mask too wide", "Umask:\t0022", "Umask:\t1022"},
		{"a line without a colon", "Ngid:\t0", "Ngid"},
		{"a cut end", "Seccomp_filters:\t1\n", "Seccomp_filters:\t1"},
		{"a sign", "Tgid:\t4711", "Tgid:\t+4711"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := strings.Replace(runcInit, c.old, c.new, 1)
			if changed == runcInit {
				t.Fatal("the case changes nothing")
			}
			if s, err := parseStatus([]byte(changed)); err == nil {
				t.Errorf("got %+v, want an error", s)
			}
		})
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add([]byte(runcInit))
	f.Add([]byte("Name:\tx\n"))
	f.Add([]byte("Groups:\t\nGroups:\t1 2 3\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseStatus(b); err != nil && !reflect.DeepEqual(s, Status{}) {
			t.Errorf("an error with a status: %+v, %v", s, err)
		}
	})
}

func same(id uint32) IDs { return IDs{id, id, id, id} }

// The kernel's own word on a process whose credentials are known.
func TestReadStatus(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test changes user: run it as root")
	}
	cmd := exec.Command("/bin/sh", "-c", "umask 027; echo; read line")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65532, Gid: 65531, Groups: []uint32{7, 9}}}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	s, err := ReadStatus(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if s.UID != same(65532) || s.GID != same(65531) || !reflect.DeepEqual(s.Groups, []uint32{7, 9}) || s.Umask != 0o027 || len(s.Effective) != 0 || s.PID != cmd.Process.Pid {
		t.Errorf("got %+v", s)
	}
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil || s.Executable != shell || s.Outside != "" {
		t.Errorf("program %q, %q, want %q, %v", s.Executable, s.Outside, shell, err)
	}
	in.Close()
	cmd.Wait()
	if s, err := ReadStatus(cmd.Process.Pid); err == nil {
		t.Errorf("a dead process has the status %+v", s)
	}
}
