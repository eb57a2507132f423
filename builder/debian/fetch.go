package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"
)

// Fetch makes sure that every package of the lock lies in the cache with its
// locked digest, and downloads through apt what does not. It returns the
// number of packages downloaded.
func Fetch(ctx context.Context, l *Lock, opts Options) (int, error) {
	if err := l.check(); err != nil {
		return 0, fmt.Errorf("fetch packages: %w", err)
	}
	c, err := opts.cache()
	if err != nil {
		return 0, fmt.Errorf("fetch packages: %w", err)
	}
	var missing []Package
	for _, p := range l.Packages {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := c.verify(p); err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return 0, nil
	}
	opts.log(fmt.Sprintf("downloading %d packages", len(missing)))
	a, err := newApt(ctx, opts, l.Architecture)
	if err != nil {
		return 0, fmt.Errorf("fetch packages: %w", err)
	}
	err = a.retry(ctx, func() error { return a.download(ctx, missing) })
	if err := errors.Join(err, a.close()); err != nil {
		return 0, fmt.Errorf("fetch packages: %w", err)
	}
	return len(missing), nil
}

// download has apt-get fetch and check packages, and takes them into the cache.
func (a *apt) download(ctx context.Context, packages []Package) error {
	c, err := a.opts.cache()
	if err != nil {
		return err
	}
	dir := filepath.Join(a.dir, "debs")
	args := []string{"-c", a.conf, "-q", "download", "--"}
	for _, p := range packages {
		args = append(args, p.Name+"="+p.Version)
	}
	if _, err := run(ctx, dir, "apt-get", args...); err != nil {
		return gone(err)
	}
	for _, p := range packages {
		// The name that apt gives: QuoteString(…, "_:") of apt-pkg.
		name := strings.NewReplacer("%", "%25", "_", "%5f", ":", "%3a").Replace(p.Version)
		file := filepath.Join(dir, p.Name+"_"+name+"_"+p.Architecture+".deb")
		if err := c.take(p, file); err != nil {
			return err
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

// gone adds the way out to what apt-get says of a version that the archive no
// longer has.
func gone(err error) error {
	text := err.Error()
	for _, sign := range []string{"was not found", "Unable to locate package", "404", "Can't find a source"} {
		if strings.Contains(text, sign) {
			return fmt.Errorf("%w: the archive may no longer have a locked version: resolve anew with --relock", err)
		}
	}
	return err
}

// A debCache is a directory of .deb files by SHA-256.
type debCache string

func (c debCache) path(p Package) string { return filepath.Join(string(c), p.SHA256+".deb") }

// verify compares the size and digest of the cached file of p.
func (c debCache) verify(p Package) error {
	f, err := os.Open(c.path(p))
	if err != nil {
		return err
	}
	defer f.Close()
	return compare(io.Discard, f, p)
}

// take copies file into the cache, when it is p.
func (c debCache) take(p Package, file string) error {
	// The directory is that of apt's own user, who may be less than this one.
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("package %s %s: apt-get brought no file for it", p.Name, p.Version)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	aside, err := renameio.NewPendingFile(c.path(p), renameio.WithPermissions(0o600))
	if err != nil {
		return fmt.Errorf("write cache: %w", err)
	}
	defer aside.Cleanup()
	if err := compare(aside, f, p); err != nil {
		return err
	}
	if err := aside.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("write cache: %w", err)
	}
	return nil
}

// compare copies r to w and says whether it was the .deb of p.
func compare(w io.Writer, r io.Reader, p Package) error {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), io.LimitReader(r, p.Size+1))
	if err != nil {
		return fmt.Errorf("package %s %s: %w", p.Name, p.Version, err)
	}
	if n != p.Size {
		return fmt.Errorf("package %s %s: size is not the %d bytes locked: resolve anew with --relock", p.Name, p.Version, p.Size)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != p.SHA256 {
		return fmt.Errorf("package %s %s: sha256 is %s, locked %s: the archive has another file under this version; resolve anew with --relock if you trust it",
			p.Name, p.Version, got, p.SHA256)
	}
	return nil
}
