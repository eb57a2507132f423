package debian

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/immure-dev/immure/internal/rootfs"
)

// Options says where things are kept. The zero value is usable.
type Options struct {
	// Arch is the Debian architecture; empty means the machine's.
	Arch string
	// CacheDir keeps .deb files by digest; empty means immure/debs in
	// [os.UserCacheDir].
	CacheDir string
	// Relock resolves anew although there is a lock file.
	Relock bool
	// Limits bounds what is unpacked; the zero value means
	// [rootfs.DefaultLimits].
	Limits rootfs.Limits
	// Log is told what takes time. It may be nil.
	Log func(message string)

	// aptConf replaces the machine's sources in tests.
	aptConf string
}

func (o Options) log(message string) {
	if o.Log != nil {
		o.Log(message)
	}
}

func (o Options) arch(ctx context.Context) (string, error) {
	if o.Arch == "" {
		return nativeArch(ctx)
	}
	if !isArch(o.Arch) {
		return "", fmt.Errorf("architecture %q is not one", o.Arch)
	}
	return o.Arch, nil
}

func (o Options) cache() (debCache, error) {
	dir := o.CacheDir
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find cache directory: %w", err)
		}
		dir = filepath.Join(base, "immure", "debs")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make cache directory: %w", err)
	}
	return debCache(dir), nil
}

// Build gives the root file system of the requested packages and all that they
// depend on. With a lock file at lockFile exactly what is locked is unpacked;
// without one, or with Options.Relock, apt resolves and the lock file is
// written, once everything else has worked. Contents go to store.
func Build(ctx context.Context, requested []string, lockFile string, store rootfs.Store, opts Options) (*Root, error) {
	requested, err := normalize(requested)
	if err != nil {
		return nil, err
	}
	arch, err := opts.arch(ctx)
	if err != nil {
		return nil, err
	}
	lock, err := ReadLock(lockFile)
	resolve := opts.Relock || errors.Is(err, fs.ErrNotExist)
	if resolve {
		lock, err = Resolve(ctx, requested, opts)
	}
	if err != nil {
		return nil, err
	}
	if err := lock.covers(requested, arch); err != nil {
		return nil, fmt.Errorf("read lock file %q: %w", lockFile, err)
	}
	if _, err := Fetch(ctx, lock, opts); err != nil {
		return nil, err
	}
	root, err := Unpack(ctx, lock, store, opts)
	if err != nil {
		return nil, err
	}
	if resolve {
		if err := lock.Write(lockFile); err != nil {
			return nil, err
		}
	}
	return root, nil
}
