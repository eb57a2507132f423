package runtime

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Old runc bind mounts its own binary into its state for a moment.
func TestARunKilledWhileItsRuntimeMountsLeavesNothing(t *testing.T) {
	o := sandbox(t, "mounting", "wait")
	h := startHelper(t, o, true)
	h.until(t, "judged")
	at := filepath.Join(o.StateDir, engineDir, o.ID, "runc.copy")
	if err := os.WriteFile(at, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("/proc/self/exe", at, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
	h.kill(t)
	wantNothingLeft(t, o)
}

// A runtime and the first process that it makes inside can outlive a run for a
// moment. Others that look like them in part are none.
func TestOrphansAreKnown(t *testing.T) {
	o := orphan{log: "/state/bundles/x/log", own: "/state/runc/x"}
	const state = "_LIBCONTAINER_STATEDIR=/state/runc/x"
	for _, c := range []struct {
		args []string
		env  string
		want bool
	}{
		{[]string{"runc", "--root", "/state/runc", "--log", "/state/bundles/x/log", "create", "x"}, "A=b", true},
		{[]string{"runc", "--root", "/state/runc", "--log", "/state/bundles/xy/log", "create", "xy"}, "A=b", false},
		{[]string{"tail", "/state/bundles/x/log"}, "A=b", false},
		{[]string{"runc", "init"}, state, true},
		{[]string{"runc", "init"}, state + "y", false},
		{[]string{"service"}, state, false},
	} {
		cmd := &exec.Cmd{
			Path: "/usr/bin/perl", Env: []string{c.env},
			// perl reads no further than its script, and the rest is what is looked at.
			Args: append([]string{"perl", "-e", "$| = 1; print qq(ready\n); sleep 1000 while 1"}, c.args...),
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
		if got := o.is(cmd.Process.Pid); got != c.want {
			t.Errorf("%q with %q: got %t", c.args, c.env, got)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
}
