package bake

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/apparmor"
	"github.com/immure-dev/immure/harden/seccomp"
	"github.com/immure-dev/immure/internal/rootfs"
)

// Where immure's own files stand in an image.
const (
	Dir                 = "/.immure"
	boundaryPath        = Dir + "/boundary.json"
	seccompPath         = Dir + "/seccomp.json"
	seccompEnvelopePath = Dir + "/seccomp-envelope.json"
	apparmorPath        = Dir + "/apparmor"
	reasonsPath         = Dir + "/files.json"
	SealPath            = Dir + "/seal.json"
)

// MaxSealBytes is the most that a seal may hold.
const MaxSealBytes = 64 << 10

// Files are what is baked into an image, apart from the seal.
type Files struct {
	Boundary        []byte
	BoundaryDigest  string // "sha256:…" of Boundary
	Seccomp         []byte // of the service and the floor
	SeccompEnvelope []byte // nil where the envelope has no filter
	AppArmor        string
	Reasons         []byte           // why each other file is there, by path
	Artifact        seccomp.Artifact // of the service and the floor, for beside the image
}

// NewFiles renders the boundaries of the service with the given name. The
// floor is what a runtime calls between filter and program.
func NewFiles(service string, pair harden.Pair, floor ...harden.SyscallRule) (*Files, error) {
	var f Files
	var err error
	if f.Boundary, err = pair.Encode(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(f.Boundary)
	f.BoundaryDigest = "sha256:" + hex.EncodeToString(sum[:])
	calls := pair.Service.Syscalls.With(floor...)
	if !calls.IsUnconfined() {
		if f.Artifact, err = seccomp.NewArtifact(calls); err != nil {
			return nil, fmt.Errorf("render seccomp profile of the service: %w", err)
		}
		f.Seccomp = f.Artifact.Layer
	}
	if !pair.Envelope.Syscalls.IsUnconfined() {
		if f.SeccompEnvelope, err = seccomp.RenderJSON(pair.Envelope.Syscalls); err != nil {
			return nil, fmt.Errorf("render seccomp profile of the envelope: %w", err)
		}
	}
	if f.AppArmor, err = apparmor.Render(service, pair.Service); err != nil {
		return nil, fmt.Errorf("render AppArmor profile: %w", err)
	}
	return &f, nil
}

// Nodes are the files as nodes of a tree, the directory first.
func (f *Files) Nodes() []rootfs.Node {
	nodes := []rootfs.Node{dir(), file(boundaryPath, f.Boundary)}
	if f.Seccomp != nil {
		nodes = append(nodes, file(seccompPath, f.Seccomp))
	}
	if f.SeccompEnvelope != nil {
		nodes = append(nodes, file(seccompEnvelopePath, f.SeccompEnvelope))
	}
	if f.Reasons != nil {
		nodes = append(nodes, file(reasonsPath, f.Reasons))
	}
	return append(nodes, file(apparmorPath, []byte(f.AppArmor)))
}

func dir() rootfs.Node { return rootfs.Node{Path: Dir, Type: rootfs.Directory, Mode: 0o555} }

func file(p string, data []byte) rootfs.Node {
	return rootfs.Node{Path: p, Type: rootfs.Regular, Mode: 0o444, Size: int64(len(data)), Content: rootfs.Bytes(data)}
}

// treeOf is a tree of the root and the given nodes.
func treeOf(nodes ...rootfs.Node) (*rootfs.Tree, error) {
	t := new(rootfs.Tree)
	for _, n := range append([]rootfs.Node{{Path: "/", Type: rootfs.Directory, Mode: 0o755}}, nodes...) {
		if err := t.Put(n); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// FilesLayer is the layer that holds the files.
func (f *Files) FilesLayer(c time.Time) (*Layer, error) {
	t, err := treeOf(f.Nodes()...)
	if err != nil {
		return nil, err
	}
	return NewLayer(t, c)
}

// SealLayer is the layer that holds the seal alone.
func SealLayer(seal []byte, c time.Time) (*Layer, error) {
	if len(seal) == 0 || len(seal) > MaxSealBytes {
		return nil, fmt.Errorf("bake seal: %d bytes are not between 1 and %d", len(seal), MaxSealBytes)
	}
	t, err := treeOf(dir(), file(SealPath, seal))
	if err != nil {
		return nil, err
	}
	return NewLayer(t, c)
}
