package debian

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/immure-dev/immure/internal/rootfs"
)

// A Root is what the packages of a lock hold together.
type Root struct {
	Tree *rootfs.Tree
	// Packages are those of the lock, with their source packages.
	Packages []Package
	owner    map[string]string
}

// Owner names the package that the file at p came from, or is empty: the links
// of a merged /usr belong to none.
func (r *Root) Owner(p string) string { return r.owner[p] }

// An unpacked is one package on its own.
type unpacked struct {
	Package
	replaces map[string]bool
	tree     *rootfs.Tree
	err      error
}

// Unpack puts the files of every package of the lock, which must be in the
// cache, into one tree with a merged /usr. Contents go to store, which is used
// concurrently. Configuration files are files like any other; no script runs.
func Unpack(ctx context.Context, l *Lock, store rootfs.Store, opts Options) (*Root, error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("unpack packages: %w", err)
	}
	c, err := opts.cache()
	if err != nil {
		return nil, fmt.Errorf("unpack packages: %w", err)
	}
	limits := opts.Limits
	if limits == (rootfs.Limits{}) {
		limits = rootfs.DefaultLimits
	}
	m, err := newMerger(l.Architecture, limits)
	if err != nil {
		return nil, fmt.Errorf("unpack packages: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	results, wait := unpackAll(ctx, l.Packages, c, store, limits)
	defer wait() // store is the caller's again
	defer cancel()

	root := &Root{Tree: m.tree, owner: m.owner}
	for _, result := range results {
		u := <-result
		if u.err == nil {
			u.err = m.add(u)
		}
		if u.err != nil {
			return nil, fmt.Errorf("unpack package %s %s: %w", u.Name, u.Version, u.err)
		}
		root.Packages = append(root.Packages, u.Package)
	}
	return root, nil
}

// unpackAll unpacks packages side by side: almost all of the time goes into
// decompression. Each has its own result; wait returns when no worker is left.
func unpackAll(ctx context.Context, packages []Package, c debCache, store rootfs.Store, limits rootfs.Limits) (results []chan *unpacked, wait func()) {
	for range packages {
		results = append(results, make(chan *unpacked, 1))
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 8, len(packages)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(packages)); i = next.Add(1) - 1 {
				results[i] <- unpackOne(ctx, packages[i], c, store, limits)
			}
		})
	}
	return results, workers.Wait
}

// unpackOne reads one .deb with dpkg-deb, which is on every machine with apt,
// is the reader of this format that hostile archives have been tried on most,
// and decompresses xz seven times faster than there is Go for.
func unpackOne(ctx context.Context, p Package, c debCache, store rootfs.Store, limits rootfs.Limits) *unpacked {
	u := &unpacked{Package: p, tree: new(rootfs.Tree)}
	if u.err = ctx.Err(); u.err != nil {
		return u
	}
	if u.err = c.verify(p); u.err != nil {
		return u
	}
	u.Package, u.replaces, u.err = readControl(ctx, p, c.path(p))
	if u.err != nil {
		return u
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := command(ctx, "dpkg-deb", "--fsys-tarfile", c.path(p))
	stderr := &bounded{limit: maxErrorBytes}
	cmd.Stderr = stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		u.err = err
		return u
	}
	if err := cmd.Start(); err != nil {
		u.err = err
		return u
	}
	applyErr := u.tree.Apply(stdout, store, limits)
	if applyErr != nil {
		cancel()
	}
	if err := cmd.Wait(); err != nil && (applyErr == nil || stderr.Len() > 0) {
		// A broken archive breaks the stream too; dpkg-deb knows why.
		err = &commandError{"dpkg-deb", err, complaint(stderr.Bytes())}
		if applyErr != nil {
			err = fmt.Errorf("%w (%w)", err, applyErr)
		}
		applyErr = err
	}
	u.err = applyErr
	return u
}
