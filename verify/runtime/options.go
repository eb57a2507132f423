package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/immure-dev/immure/internal/reflect"
)

// DefaultStateDir holds bundles and the runtime's own state. It is emptied by
// a reboot, as containers are.
const DefaultStateDir = "/run/immure"

// maxConfig bounds config.json, in bytes. A default Docker configuration has
// about 20 kB.
const maxConfig = 1 << 20

// A Port is one published port.
type Port = reflect.Port

// ParsePort reads [ADDR:]PORT:CONTAINER[/tcp|/udp]; PORT 0 or empty lets the
// kernel choose.
func ParsePort(s string) (Port, error) { return reflect.ParsePort(s) }

// Options of one run.
type Options struct {
	// Runtime is the path of runc or crun; empty finds runc, then crun, in PATH.
	Runtime string
	// ID is the container's name: [a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}. It is in use
	// for as long as the run lasts.
	ID string
	// Rootfs is the directory, already unpacked and checked, that root.path of
	// Config names. It is not written to.
	Rootfs string
	// Config is config.json as judged; the runtime gets exactly these bytes. Its
	// linux.cgroupsPath is absolute and ends in /ID.
	Config []byte
	// Publish needs a network namespace of the service's own.
	Publish []Port
	// The service's standard streams; nil is /dev/null.
	Stdin, Stdout, Stderr *os.File
	// Interrupted is asked, once signals are caught here, whether one came before
	// that should end the run. Its error does. It may be nil.
	Interrupted func() error
	// Check judges the container by its first process, which has executed the
	// service's program and stands before the first instruction. Its error ends
	// the run before any code of the service has run. Nil checks nothing.
	Check func(ctx context.Context, pid int) error
	// Started is called once the service runs and its ports are served.
	Started func(Running)
	// StateDir is a directory of root's own; empty is [DefaultStateDir].
	StateDir string
}

// Running describes a service that has been started.
type Running struct {
	ID string `json:"id"`
	// PID is of the service, in the caller's namespace, valid until it ends.
	PID int `json:"pid"`
	// RunPID is of the process that called [Run]. A signal is sent to it, not to
	// PID: the kernel drops what the service has no handler for.
	RunPID int `json:"runPid"`
	// Publish are the published ports as bound: no port is 0.
	Publish []PublishedPort `json:"publish,omitempty"`
}

// A PublishedPort is where the host listens for one port of the service.
type PublishedPort struct {
	Host      netip.AddrPort `json:"host"`
	Container uint16         `json:"container"`
	Proto     string         `json:"proto"` // "tcp" or "udp"
}

// CheckID reports a container's name that is not of the form of [Options].ID.
func CheckID(id string) error {
	if !isID(id) {
		return fmt.Errorf("name container %q: want a letter or digit, then up to 62 letters, digits, '_', '.' or '-'", id)
	}
	return nil
}

// isID reports a name of the form ^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$.
func isID(s string) bool {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}
	if s == "" || len(s) > 63 || odd(rune(s[0])) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return odd(r) && !strings.ContainsRune("_.-", r) })
}

// A request is what this package itself needs of config.json; package verify
// has judged the whole.
type request struct {
	Root struct {
		Path string `json:"path"`
	} `json:"root"`
	Hooks json.RawMessage `json:"hooks"`
	Linux struct {
		CgroupsPath string          `json:"cgroupsPath"`
		IntelRdt    json.RawMessage `json:"intelRdt"`
		Namespaces  []struct {
			Type string `json:"type"`
			Path string `json:"path"`
		} `json:"namespaces"`
	} `json:"linux"`
}

func parseRequest(config []byte, id string) (request, error) {
	var r request
	if len(config) > maxConfig {
		return r, fmt.Errorf("read config.json: %d bytes, limit %d", len(config), maxConfig)
	}
	if err := json.NewDecoder(bytes.NewReader(config)).Decode(&r); err != nil {
		return r, fmt.Errorf("read config.json: %w", err)
	}
	cg := r.Linux.CgroupsPath
	if !strings.HasPrefix(cg, "/") || filepath.Clean(cg) != cg || filepath.Base(cg) != id || filepath.Dir(cg) == "/" {
		return r, fmt.Errorf("read config.json: linux.cgroupsPath %q is not of the form /PARENT/%s", cg, id)
	}
	return r, nil
}

// plain reports whether ending the container takes no more than its processes,
// its cgroup and its state.
func (r request) plain() bool { return len(r.Hooks) == 0 && len(r.Linux.IntelRdt) == 0 }

// ownNamespace reports whether the configuration asks for a new namespace of
// the kind.
func (r request) ownNamespace(kind string) bool {
	for _, ns := range r.Linux.Namespaces {
		if ns.Type == kind {
			return ns.Path == ""
		}
	}
	return false
}

var errNotRoot = errors.New("run container: not root; start again with sudo")

// validate checks everything that can be checked without changing anything.
func (o *Options) validate() (request, error) {
	if os.Geteuid() != 0 {
		return request{}, errNotRoot
	}
	if err := CheckID(o.ID); err != nil {
		return request{}, err
	}
	req, err := parseRequest(o.Config, o.ID)
	if err != nil {
		return req, err
	}
	if o.Rootfs == "" || !filepath.IsAbs(o.Rootfs) || req.Root.Path != o.Rootfs {
		return req, fmt.Errorf("read config.json: root.path %q is not the rootfs %q", req.Root.Path, o.Rootfs)
	}
	if info, err := os.Lstat(o.Rootfs); err != nil {
		return req, fmt.Errorf("open rootfs: %w", err)
	} else if !info.IsDir() {
		return req, fmt.Errorf("open rootfs: %q is not a directory", o.Rootfs)
	}
	// A service without a pid namespace could leave processes that outlive it.
	if !req.ownNamespace("pid") {
		return req, errors.New("read config.json: no pid namespace of its own, so its processes could outlive it")
	}
	if len(o.Publish) > 0 && !req.ownNamespace("network") {
		return req, errors.New("publish ports: config.json gives the service no network namespace of its own")
	}
	return req, nil
}
