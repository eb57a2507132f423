package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/harden/canon"
	"github.com/immure-dev/immure/internal/rootfs"
)

// An Inside is what an image holds. Nothing vouches for it before [Verify].
type Inside struct {
	Files []File `json:"files"`
	// Bytes is the sum of the files' sizes.
	Bytes int64 `json:"bytes"`
}

// A File is one file of an image, directories apart.
type File struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"`
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`
	Size int64  `json:"size"`
	// Target is of a symbolic link.
	Target string `json:"target,omitempty"`
	// Why is the reason that the image gives for the file.
	Why string `json:"why"`
}

// ReadInside lists the files of an image with the reasons that it gives.
func ReadInside(img v1.Image) (*Inside, error) {
	f, err := read(img, false)
	if err != nil {
		return nil, err
	}
	why := make(map[string]string)
	if data, ok := f.immured[filesPath]; ok {
		if err := json.Unmarshal(data, &why); err != nil {
			return nil, fmt.Errorf("read %s: %w", filesPath, err)
		}
	}
	in := &Inside{Files: []File{}}
	for n := range f.tree.All() {
		if n.Type == rootfs.Directory {
			continue
		}
		in.Bytes += n.Size
		reason := why[n.Path]
		if strings.HasPrefix(n.Path, dir+"/") {
			reason = "immure's own: the boundary, its forms and the seal"
		}
		in.Files = append(in.Files, File{Path: n.Path, Mode: n.Mode, UID: n.UID, GID: n.GID, Size: n.Size, Target: n.Target, Why: reason})
	}
	return in, nil
}

// Claimed returns what the seal in an image says, whoever signed it: for
// showing, never for deciding.
func Claimed(img v1.Image) (*attest.Predicate, error) {
	f, err := read(img, true)
	if err != nil {
		return nil, err
	}
	data, ok := f.immured[tree.SealPath]
	if !ok {
		return nil, errors.New("the image bears no seal")
	}
	b, err := bundle.Decode(data)
	if err != nil {
		return nil, err
	}
	var s attest.Statement
	if err := canon.Decode(b.Envelope.Payload, &s); err != nil {
		return nil, fmt.Errorf("read seal: %w", err)
	}
	return &s.Predicate, nil
}
