package debian

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Resolve asks apt which packages the requested ones need, downloads them and
// returns their lock. Every package is downloaded, whatever the cache holds,
// so that what is locked is what apt has checked.
func Resolve(ctx context.Context, requested []string, opts Options) (*Lock, error) {
	requested, err := normalize(requested)
	if err != nil {
		return nil, fmt.Errorf("resolve packages: %w", err)
	}
	arch, err := opts.arch(ctx)
	if err != nil {
		return nil, fmt.Errorf("resolve packages: %w", err)
	}
	a, err := newApt(ctx, opts, arch)
	if err != nil {
		return nil, fmt.Errorf("resolve packages: %w", err)
	}
	var lock *Lock
	err = a.retry(ctx, func() error {
		if lock, err = a.resolve(ctx, requested); err != nil {
			return err
		}
		opts.log(fmt.Sprintf("downloading %d packages", len(lock.Packages)))
		return a.download(ctx, lock.Packages)
	})
	if err := errors.Join(err, a.close()); err != nil {
		return nil, fmt.Errorf("resolve packages %s: %w", strings.Join(requested, " "), err)
	}
	return lock, nil
}

// resolve makes the lock without downloading.
func (a *apt) resolve(ctx context.Context, requested []string) (*Lock, error) {
	args := append([]string{
		"-c", a.conf, "-o", "Acquire::ForceHash=sha256",
		"-q", "-y", "--no-install-recommends", "--print-uris", "install", "--",
	}, requested...)
	out, err := run(ctx, a.dir, "apt-get", args...)
	if err != nil {
		return nil, err
	}
	packages, err := parseURIs(out)
	if err != nil {
		return nil, err
	}
	if len(packages) > maxPackages {
		return nil, fmt.Errorf("%d packages, limit %d", len(packages), maxPackages)
	}
	for _, r := range requested {
		name, _, _ := strings.Cut(r, "=")
		if !slices.ContainsFunc(packages, func(p Package) bool { return p.Name == name }) {
			return nil, fmt.Errorf("package %q is virtual or a pattern: name the package that provides it", name)
		}
	}
	if err := a.describe(ctx, packages); err != nil {
		return nil, err
	}
	slices.SortFunc(packages, func(x, y Package) int { return strings.Compare(x.Name, y.Name) })
	lock := &Lock{lockVersion, a.arch, requested, packages}
	return lock, lock.check()
}

// describe fills in where each package lies in the pool.
func (a *apt) describe(ctx context.Context, packages []Package) error {
	args := []string{"-c", a.conf, "show", "--"}
	for _, p := range packages {
		args = append(args, p.Name+"="+p.Version)
	}
	out, err := run(ctx, a.dir, "apt-cache", args...)
	if err != nil {
		return err
	}
	// One version may lie in several archives, as different files.
	filenames := make(map[Package]string)
	for f := range paragraphs(out) {
		size, err := strconv.ParseInt(f["Size"], 10, 64)
		if err != nil {
			continue
		}
		key := Package{
			Name: f["Package"], Version: f["Version"], Architecture: f["Architecture"],
			Size: size, SHA256: strings.ToLower(f["SHA256"]),
		}
		if _, again := filenames[key]; !again {
			filenames[key] = strings.TrimPrefix(f["Filename"], "./")
		}
	}
	for i := range packages {
		p := &packages[i]
		if p.Filename = filenames[*p]; p.Filename == "" {
			return fmt.Errorf("package %s %s: apt's lists have no record of the file it chose", p.Name, p.Version)
		}
	}
	return nil
}

// parseURIs reads what `apt-get --print-uris` says about each file:
//
//	'http://host/pool/x_1%3a2_amd64.deb' x_1%3a2_amd64.deb 1234 SHA256:…
func parseURIs(out []byte) ([]Package, error) {
	var packages []Package
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "'") {
			continue
		}
		_, rest, _ := strings.Cut(line[1:], "' ")
		f := strings.Fields(rest)
		if len(f) != 3 || !strings.HasPrefix(f[2], "SHA256:") {
			return nil, fmt.Errorf("read apt-get's answer %q: no file name, size and SHA-256", line)
		}
		size, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read apt-get's answer %q: %w", line, err)
		}
		parts := strings.Split(strings.TrimSuffix(filepath.Base(f[0]), ".deb"), "_")
		if len(parts) != 3 {
			return nil, fmt.Errorf("read apt-get's answer %q: not name_version_architecture", line)
		}
		for i := range parts {
			if parts[i], err = url.PathUnescape(parts[i]); err != nil {
				return nil, fmt.Errorf("read apt-get's answer %q: %w", line, err)
			}
		}
		packages = append(packages, Package{
			Name: parts[0], Version: parts[1], Architecture: parts[2],
			Size: size, SHA256: strings.ToLower(strings.TrimPrefix(f[2], "SHA256:")),
		})
	}
	if len(packages) == 0 {
		return nil, errors.New("apt-get names no package to fetch")
	}
	return packages, nil
}
