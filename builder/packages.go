package builder

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"

	"github.com/immure-dev/immure/builder/debian"
	"github.com/immure-dev/immure/builder/elf"
	"github.com/immure-dev/immure/builder/keep"
	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/internal/rootfs"
)

// A Package is a distribution's package that files of the image came from.
type Package struct {
	Name, Version, Architecture string
	SHA256                      string // of the .deb, in lower-case hex
	Source, SourceVersion       string
}

func (s *source) fromDebian(ctx context.Context, f *servicefile.File, o Options) error {
	spool, err := rootfs.NewSpool("")
	if err != nil {
		return err
	}
	s.close = append(s.close, spool)
	opts := debian.Options{Arch: "amd64", Relock: o.Relock, Limits: o.bounds(), Log: func(m string) { o.progress(m, 0, 0) }}
	if o.Cache != "" {
		opts.CacheDir = filepath.Join(o.Cache, "debs")
	}
	from := f.From.Debian
	root, err := debian.Build(ctx, from.Packages, o.host(from.Lock), spool, opts)
	if err != nil {
		return fmt.Errorf("%s: from.debian: %w", f.At("from.debian"), err)
	}
	s.tree, s.owner = root.Tree, root.Owner
	for _, p := range root.Packages {
		s.packages = append(s.packages, Package{p.Name, p.Version, p.Architecture, p.SHA256, cmp.Or(p.Source, p.Name), cmp.Or(p.SourceVersion, p.Version)})
	}
	s.Overlay = keep.NewOverlay(elf.FromTree(root.Tree))
	return nil
}
