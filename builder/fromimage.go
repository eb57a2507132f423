package builder

import (
	"context"
	"fmt"

	"github.com/immure-dev/immure/builder/elf"
	"github.com/immure-dev/immure/builder/image"
	"github.com/immure-dev/immure/builder/keep"
	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/internal/rootfs"
)

// fromImage flattens another image. It holds a whole distribution, most often:
// what nothing asks for stays behind, as with packages.
func (s *source) fromImage(ctx context.Context, f *servicefile.File, o Options) error {
	img, err := image.Open(ctx, f.From.Image, o.host)
	if err != nil {
		return fmt.Errorf("%s: from.image: %w", f.At("from.image"), err)
	}
	s.close = append(s.close, img)
	s.pinned = img.Digest.String()
	spool, err := rootfs.NewSpool("")
	if err != nil {
		return err
	}
	s.close = append(s.close, spool)
	tree, err := img.Flatten(ctx, spool, o.bounds(), func(done, total int64) { o.progress("reading layers", done, total) })
	if err != nil {
		return fmt.Errorf("%s: from.image: %w", f.At("from.image"), err)
	}
	s.tree = tree
	s.Overlay = keep.NewOverlay(elf.FromTree(tree))
	return nil
}
