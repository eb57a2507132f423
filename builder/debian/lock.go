package debian

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// lockVersion is the version of the lock file's format.
const lockVersion = 1

// Bounds on a lock file.
const (
	maxLockBytes = 4 << 20
	maxPackages  = 4096
	maxDebBytes  = 4 << 30
)

// A Lock is the outcome of resolving: what exactly is to be unpacked. Its file
// form is JSON, the same bytes for the same value.
type Lock struct {
	LockVersion  int    `json:"lockVersion"`
	Architecture string `json:"architecture"`
	// Requested are the names that were resolved, sorted.
	Requested []string `json:"requested"`
	// Packages are those and all that they depend on, sorted by name.
	Packages []Package `json:"packages"`
}

// A Package is one binary package.
type Package struct {
	Name         string `json:"package"`
	Version      string `json:"version"`
	Architecture string `json:"architecture"` // or "all"
	// Filename is the path in the archive's pool, never a host name.
	Filename string `json:"filename"`
	Size     int64  `json:"size"`   // of the .deb, in bytes
	SHA256   string `json:"sha256"` // of the .deb, in lower-case hex

	// Source and SourceVersion name the source package. They come from the
	// package's own control file and are known once it is unpacked.
	Source        string `json:"-"`
	SourceVersion string `json:"-"`
}

const (
	lower   = "abcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
	letters = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + digits
)

// made says whether s has 1 to limit bytes, all of them in alphabet, the first
// one a letter or digit.
func made(s string, limit int, alphabet string) bool {
	return s != "" && len(s) <= limit && strings.Trim(s, alphabet) == "" && strings.ContainsRune(letters, rune(s[0]))
}

// Debian Policy 5.6.1, 5.6.12 and 5.6.8.
func isName(s string) bool    { return len(s) > 1 && made(s, 128, lower+digits+"+.-") }
func isVersion(s string) bool { return made(s, 256, letters+".+~:-") }
func isArch(s string) bool    { return made(s, 32, lower+digits+"-") }

// isPool says whether s is a path in an archive's pool.
func isPool(s string) bool {
	return made(s, 1024, letters+".+~:%_/-") && s == path.Clean(s)
}

func (p Package) check() error {
	digest, err := hex.DecodeString(p.SHA256)
	switch {
	case !isName(p.Name):
		return fmt.Errorf("package %q: not a package name", p.Name)
	case !isVersion(p.Version):
		return fmt.Errorf("package %s: version %q is not one", p.Name, p.Version)
	case !isArch(p.Architecture):
		return fmt.Errorf("package %s: architecture %q is not one", p.Name, p.Architecture)
	case !isPool(p.Filename):
		return fmt.Errorf("package %s: file name %q is not a path in the pool", p.Name, p.Filename)
	case p.Size <= 0 || p.Size > maxDebBytes:
		return fmt.Errorf("package %s: size is %d, want 1 to %d", p.Name, p.Size, int64(maxDebBytes))
	case err != nil || len(digest) != 32 || strings.ToLower(p.SHA256) != p.SHA256:
		return fmt.Errorf("package %s: sha256 %q is not 64 lower-case hex digits", p.Name, p.SHA256)
	}
	return nil
}

// check says whether l is a lock that [Resolve] could have made.
func (l *Lock) check() error {
	if l.LockVersion != lockVersion {
		return fmt.Errorf("lock version is %d, this immure knows %d", l.LockVersion, lockVersion)
	}
	if !isArch(l.Architecture) {
		return fmt.Errorf("architecture %q is not one", l.Architecture)
	}
	if len(l.Packages) == 0 || len(l.Packages) > maxPackages {
		return fmt.Errorf("%d packages, want 1 to %d", len(l.Packages), maxPackages)
	}
	for i, p := range l.Packages {
		if err := p.check(); err != nil {
			return err
		}
		if p.Architecture != l.Architecture && p.Architecture != "all" {
			return fmt.Errorf("package %s: architecture is %s, want %s", p.Name, p.Architecture, l.Architecture)
		}
		if i > 0 && l.Packages[i-1].Name >= p.Name {
			return fmt.Errorf("package %s: out of order or named twice", p.Name)
		}
	}
	requested, err := normalize(l.Requested)
	if err != nil {
		return err
	}
	if !slices.Equal(requested, l.Requested) {
		return errors.New("requested names are out of order or named twice")
	}
	for _, r := range requested {
		name, _, _ := strings.Cut(r, "=")
		if !slices.ContainsFunc(l.Packages, func(p Package) bool { return p.Name == name }) {
			return fmt.Errorf("requested package %s is not among the packages", name)
		}
	}
	return nil
}

// normalize sorts the requested names and checks each: "name" or
// "name=version". apt-get would read other forms as patterns or removals.
func normalize(names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, errors.New("no package is requested")
	}
	for _, n := range names {
		name, version, pinned := strings.Cut(n, "=")
		if !isName(name) || strings.HasSuffix(name, "-") || pinned && !isVersion(version) {
			return nil, fmt.Errorf("package %q: want a name, or name=version", n)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(names))), nil
}

// encode gives the lock file's bytes.
func (l *Lock) encode() ([]byte, error) {
	b, err := json.MarshalIndent(l, "", "  ")
	return append(b, '\n'), err
}

// decodeLock reads a lock file strictly: what is not as encode writes it, byte
// for byte, was not written by it.
func decodeLock(b []byte) (*Lock, error) {
	// The version first, so that a later format is named as such.
	var l Lock
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, err
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	again, err := l.encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(b, again) {
		return nil, errors.New("not as immure writes it")
	}
	return &l, nil
}

// ReadLock reads the lock file at name. The error wraps [fs.ErrNotExist] when
// there is none.
func ReadLock(name string) (*Lock, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read lock file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxLockBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read lock file: %w", err)
	}
	if len(b) > maxLockBytes {
		return nil, fmt.Errorf("read lock file %q: more than %d bytes", name, maxLockBytes)
	}
	l, err := decodeLock(b)
	if err != nil {
		return nil, fmt.Errorf("read lock file %q: %w: write it anew with --relock", name, err)
	}
	return l, nil
}

// Write writes the lock file at name, aside first and then in one step.
func (l *Lock) Write(name string) error {
	if err := l.check(); err != nil {
		return fmt.Errorf("write lock file %q: %w", name, err)
	}
	b, err := l.encode()
	if err != nil {
		return fmt.Errorf("write lock file %q: %w", name, err)
	}
	if err := renameio.WriteFile(name, b, 0o644); err != nil {
		return fmt.Errorf("write lock file %q: %w", name, err)
	}
	return nil
}

// covers says whether l is the lock for these requested names.
func (l *Lock) covers(requested []string, arch string) error {
	if l.Architecture != arch {
		return fmt.Errorf("lock is for architecture %s, want %s: write it anew with --relock", l.Architecture, arch)
	}
	if !slices.Equal(l.Requested, requested) {
		return fmt.Errorf("lock is for %s, want %s: write it anew with --relock",
			strings.Join(l.Requested, " "), strings.Join(requested, " "))
	}
	return nil
}
