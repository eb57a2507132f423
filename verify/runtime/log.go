package runtime

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// maxLogBytes is the size at which a detached service's log starts anew; the
	// one before it is kept beside it, with ".1" at its end.
	maxLogBytes = 4 << 20
	// maxLogs is how many logs of ended services are kept.
	maxLogs = 32
)

// LogPath is the log of a detached service. It outlives the service, until 32
// others have ended after it or its name is used again.
func LogPath(stateDir, id string) string {
	if stateDir == "" {
		stateDir = DefaultStateDir
	}
	return filepath.Join(stateDir, logsDir, id+".log")
}

// A serviceLog copies a detached service's output into its log.
type serviceLog struct {
	path string
	in   *os.File // what the service writes to
	done chan error
}

func openLog(state, id string) (*serviceLog, error) {
	pruneLogs(state)
	l := &serviceLog{path: LogPath(state, id), done: make(chan error, 1)}
	f, err := createLog(l.path)
	if err != nil {
		return nil, err
	}
	out, in, err := os.Pipe()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open log: %w", err)
	}
	l.in = in
	go func() {
		defer out.Close()
		l.done <- l.copy(f, out)
	}()
	return l, nil
}

func createLog(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// copy writes until every writer of the pipe is gone. What cannot be written
// is read all the same, so that a full disk does not stop the service.
func (l *serviceLog) copy(f *os.File, out io.Reader) error {
	for {
		n, err := io.Copy(f, io.LimitReader(out, maxLogBytes))
		err = errors.Join(err, f.Close())
		if err == nil && n < maxLogBytes {
			return nil
		}
		if err == nil {
			err = os.Rename(l.path, l.path+".1")
		}
		if err == nil {
			f, err = createLog(l.path)
		}
		if err != nil {
			_, _ = io.Copy(io.Discard, out)
			return fmt.Errorf("write log: %w", err)
		}
	}
}

// close says how the service ended and waits for the last of its output.
func (l *serviceLog) close(status int, err error) error {
	if err != nil {
		fmt.Fprintf(l.in, "immure: %v\n", err)
	} else {
		fmt.Fprintf(l.in, "immure: ended with status %d\n", status)
	}
	l.in.Close()
	return <-l.done
}

// pruneLogs removes the oldest logs of services that no longer run. It fails
// in silence: logs are no reason not to start a service.
func pruneLogs(state string) {
	entries, err := os.ReadDir(filepath.Join(state, logsDir))
	if err != nil {
		return
	}
	type log struct {
		path string
		info fs.FileInfo
	}
	var logs []log
	for _, e := range entries {
		id := strings.TrimSuffix(strings.TrimSuffix(e.Name(), ".1"), ".log")
		if _, err := os.Lstat(bundlePath(state, id)); err == nil {
			continue
		}
		if info, err := e.Info(); err == nil {
			logs = append(logs, log{filepath.Join(state, logsDir, e.Name()), info})
		}
	}
	slices.SortFunc(logs, func(a, b log) int { return cmp.Compare(b.info.ModTime().UnixNano(), a.info.ModTime().UnixNano()) })
	for i := maxLogs; i < len(logs); i++ {
		_ = os.Remove(logs[i].path)
	}
}
