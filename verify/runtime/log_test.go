package runtime

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestTheLogOfADetachedServiceIsBounded(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	if err := openState(state); err != nil {
		t.Fatal(err)
	}
	l, err := openLog(state, "loud")
	if err != nil {
		t.Fatal(err)
	}
	for range 9 {
		if _, err := l.in.Write(bytes.Repeat([]byte("x"), maxLogBytes/4)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.close(3, nil); err != nil {
		t.Fatal(err)
	}
	const last = "immure: ended with status 3\n"
	b, err := os.ReadFile(LogPath(state, "loud"))
	if err != nil || len(b) != maxLogBytes/4+len(last) || !bytes.HasSuffix(b, []byte(last)) {
		t.Errorf("log: %d bytes, %v", len(b), err)
	}
	if info, err := os.Stat(LogPath(state, "loud") + ".1"); err != nil || info.Size() != maxLogBytes {
		t.Errorf("log before it: %v", err)
	}
}

func TestOldLogsGo(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	if err := openState(state); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(bundlePath(state, "alive"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, id := range append([]string{"alive"}, ids(maxLogs+5)...) {
		if err := os.WriteFile(LogPath(state, id), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pruneLogs(state)
	entries, err := os.ReadDir(filepath.Join(state, logsDir))
	if err != nil || len(entries) != maxLogs+1 {
		t.Errorf("%d logs, %v, want %d and the running service's", len(entries), err, maxLogs)
	}
	if _, err := os.Stat(LogPath(state, "alive")); err != nil {
		t.Error(err)
	}
}

func ids(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("old-%d", i))
	}
	return all
}
