package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/rootfs"
	"github.com/immure-dev/immure/verify"
)

// The paths of what an image declares about itself.
const (
	dir             = "/.immure"
	boundaryPath    = dir + "/boundary.json"
	seccompPath     = dir + "/seccomp.json"
	envelopePath    = dir + "/seccomp-envelope.json"
	appArmorPath    = dir + "/apparmor"
	filesPath       = dir + "/files.json"
	maxDeclared     = 1 << 20
	maxDeclaredSum  = 4 << 20
	smallLayerBytes = 256 << 10
	maxUnpacked     = 17 << 30 // of all layers: one full tree, and archive headers
)

var declaredPaths = []string{boundaryPath, seccompPath, envelopePath, appArmorPath}

// files is what was read of an image.
type files struct {
	tree *rootfs.Tree
	// complete reports that every layer was read.
	complete bool
	// layers is how many layers the image has, diffIDs the digests of what those
	// that were read unpack to, of which the last is the topmost layer.
	layers  int
	diffIDs []string
	// immured holds the bytes of the files beneath /.immure that mean something.
	immured map[string][]byte
	// filters are the system call filters among them, once they were read.
	filters map[string]bakedFilter
}

// read flattens the image's layers. When brief is set it is content with the
// topmost small layers, provided that they hold the seal and all declarations:
// what upper layers hold no lower one can change.
func read(img v1.Image, brief bool) (*files, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("read layers: %w", err)
	}
	if brief {
		f, err := apply(layers[topmost(layers):])
		if err == nil && f.holdsAll() {
			f.complete, f.layers = topmost(layers) == 0, len(layers)
			return f, nil
		}
	}
	f, err := apply(layers)
	if err != nil {
		return nil, err
	}
	f.complete, f.layers = true, len(layers)
	return f, nil
}

// topmost is the index of the first of the small layers on top.
func topmost(layers []v1.Layer) int {
	i := len(layers)
	for i > 0 {
		if size, err := layers[i-1].Size(); err != nil || size > smallLayerBytes {
			break
		}
		i--
	}
	return i
}

func (f *files) holdsAll() bool {
	for _, p := range append([]string{tree.SealPath}, declaredPaths...) {
		if f.immured[p] == nil {
			return false
		}
	}
	return true
}

func apply(layers []v1.Layer) (*files, error) {
	f := &files{tree: &rootfs.Tree{}, immured: make(map[string][]byte)}
	store, left := &keeper{}, int64(maxUnpacked)
	for i, l := range layers {
		diffID, err := applyLayer(f.tree, l, store, &left)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
		f.diffIDs = append(f.diffIDs, diffID)
	}
	for _, p := range append([]string{tree.SealPath, filesPath}, declaredPaths...) {
		n := f.tree.Get(p)
		if n == nil || n.Type != rootfs.Regular {
			continue
		}
		data, err := open(n)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		f.immured[p] = data
	}
	return f, nil
}

func (f *files) readFilters() {
	f.filters = map[string]bakedFilter{seccompPath: readFilter(f.immured[seccompPath]), envelopePath: readFilter(f.immured[envelopePath])}
}

func open(n *rootfs.Node) ([]byte, error) {
	r, err := n.Content.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data := make([]byte, n.Size) // at most maxDeclared, or it would not have been kept
	_, err = io.ReadFull(r, data)
	return data, err
}

// applyLayer takes what the layer unpacks to off left, and returns its digest.
func applyLayer(t *rootfs.Tree, l v1.Layer, s rootfs.Store, left *int64) (diffID string, err error) {
	mediaType, err := l.MediaType()
	if err != nil {
		return "", err
	}
	packed, err := l.Compressed()
	if err != nil {
		return "", err
	}
	defer packed.Close()
	unpacked, err := decompress(packed, mediaType)
	if err != nil {
		return "", err
	}
	defer unpacked.Close()
	sum := sha256.New()
	if err := t.Apply(io.TeeReader(&budget{unpacked, left}, sum), s, rootfs.DefaultLimits); err != nil {
		return "", err
	}
	// The digest counts only once all bytes were read, those behind the
	// compressed stream included.
	extra, err := io.Copy(io.Discard, packed)
	if err != nil {
		return "", err
	}
	if extra > 0 {
		return "", fmt.Errorf("%d bytes after the compressed layer", extra)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// A budget bounds what all layers unpack to together. Each has its own bound,
// but one small layer that unpacks to much can be listed hundreds of times.
type budget struct {
	r    io.Reader
	left *int64
}

func (b *budget) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if *b.left -= int64(n); *b.left < 0 {
		return 0, fmt.Errorf("the layers unpack to more than %d bytes", int64(maxUnpacked))
	}
	return n, err
}

// decompress goes by the media type alone: what a layer's bytes look like is
// the registry's to choose.
func decompress(r io.Reader, mediaType types.MediaType) (io.ReadCloser, error) {
	switch mediaType {
	case types.OCILayer, types.DockerLayer:
		return gzip.NewReader(r)
	case types.OCILayerZStd:
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case types.OCIUncompressedLayer, types.DockerUncompressedLayer:
		return io.NopCloser(r), nil
	}
	return nil, fmt.Errorf("media type %q is no layer", mediaType)
}

// A keeper is a store that keeps what lies beneath /.immure and only hashes the
// rest.
type keeper struct{ kept int64 }

func (k *keeper) PutAt(path string, r io.Reader, size int64) (rootfs.Content, error) {
	if !strings.HasPrefix(path, dir+"/") {
		return k.Put(r, size)
	}
	// What upper layers replace counts too: it was held in memory.
	if k.kept += size; size > maxDeclared || k.kept > maxDeclaredSum {
		return nil, fmt.Errorf("the files beneath %s hold more than %d bytes", dir, maxDeclared)
	}
	return tree.Hasher{Store: memory{}}.Put(r, size)
}

func (k *keeper) Put(r io.Reader, size int64) (rootfs.Content, error) {
	return tree.Hasher{}.Put(r, size)
}

// memory keeps contents whose size was judged before.
type memory struct{}

func (memory) Put(r io.Reader, size int64) (rootfs.Content, error) {
	data := make([]byte, size)
	_, err := io.ReadFull(r, data)
	return rootfs.Bytes(data), err
}

// Boundary returns the bytes of /.immure/boundary.json of an image. Nothing
// vouches for them.
func Boundary(img v1.Image) ([]byte, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("read layers: %w", err)
	}
	for _, from := range []int{topmost(layers), 0} {
		f, err := apply(layers[from:])
		if err == nil && f.immured[boundaryPath] != nil {
			return f.immured[boundaryPath], nil
		}
		if err != nil && from == 0 {
			return nil, err
		}
	}
	return nil, fmt.Errorf("no %s in the image: immure did not build it", boundaryPath)
}

// Extract unpacks an image into the empty directory dir. Nothing vouches for
// what is written: it is for the caller to check against a tree digest.
func Extract(img v1.Image, dir string) error {
	layers, err := img.Layers()
	if err != nil {
		return fmt.Errorf("read layers: %w", err)
	}
	// The store has the room that a temporary directory may lack.
	spool, err := rootfs.NewSpool(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer spool.Close()
	var t rootfs.Tree
	left := int64(maxUnpacked)
	for i, l := range layers {
		if _, err := applyLayer(&t, l, spool, &left); err != nil {
			return fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	return t.Extract(dir)
}

// Unsealed returns the files of an image that bears no seal, once what it
// declares is what p says. The contents were hashed and not kept.
func Unsealed(img v1.Image, p attest.Predicate) (*rootfs.Tree, error) {
	f, err := read(img, false)
	if err != nil {
		return nil, err
	}
	if _, sealed := f.immured[tree.SealPath]; sealed {
		return nil, fmt.Errorf("the image bears a seal already")
	}
	config, err := configuration(img)
	if err != nil {
		return nil, err
	}
	if err := f.checkDiffIDs(config); err != nil {
		return nil, err
	}
	f.readFilters()
	if refusals := declared(p, f, config, 0); len(refusals) > 0 {
		return nil, &verify.RefusedError{Refusals: refusals}
	}
	return f.tree, nil
}
