package rootfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"path"
	"strings"
)

// opaqueName marks a directory of which lower layers show nothing.
// Source: OCI image-spec, layer.md, section "Opaque Whiteout".
const opaqueName = whiteoutPrefix + whiteoutPrefix + ".opq"

func isWhiteout(p string) bool { return strings.HasPrefix(path.Base(p), whiteoutPrefix) }

// whiteout hides what lower layers have at the name, or in the directory, that
// the whiteout at p stands for.
func (a *applier) whiteout(p string, h *tar.Header) error {
	if h.Typeflag != tar.TypeReg || h.Size != 0 {
		return errors.New("whiteout is not an empty regular file")
	}
	dir, base := path.Dir(p), path.Base(p)
	if err := checkPath(dir); err != nil {
		return err
	}
	// The set of whiteouts takes memory as nodes do.
	if err := a.meter.measure(&Node{Path: p}); err != nil {
		return err
	}
	if _, again := a.hidden[p]; again {
		return nil
	}
	a.hidden[p] = struct{}{}
	for d := dir; ; d = path.Dir(d) {
		if n := a.tree.Get(d); n != nil && n.Type != Directory {
			return fmt.Errorf("parent %.200q is a %s, not a directory", d, n.Type)
		}
		if d == "/" {
			break
		}
	}
	a.tree.needIndex()
	if base == opaqueName {
		return a.hideBeneath(dir)
	}
	name := base[len(whiteoutPrefix):]
	if name == "" || name == "." || name == ".." || strings.HasPrefix(name, whiteoutPrefix) {
		return errors.New("whiteout of no possible name")
	}
	target := path.Join(dir, name)
	if err := a.hideBeneath(target); err != nil {
		return err
	}
	return a.hide(target)
}

// hideBeneath hides everything beneath p that is not of this layer.
func (a *applier) hideBeneath(p string) error {
	for kid := range a.tree.index[p] {
		if err := a.hideBeneath(kid); err != nil {
			return err
		}
		if err := a.hide(kid); err != nil {
			return err
		}
	}
	return nil
}

// hide takes away the node at p unless it is of this layer. Beneath p nothing
// of lower layers is left; if this layer has something there, p becomes the
// parent that the layer would have got without the lower ones.
func (a *applier) hide(p string) error {
	if _, own := a.own[p]; own {
		return nil
	}
	if len(a.tree.index[p]) == 0 {
		a.tree.Remove(p)
		return nil
	}
	return a.put(&Node{Path: p, Type: Directory, Mode: 0o755})
}
