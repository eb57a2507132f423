package main

import (
	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/oci"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/internal/rootfs"
	"github.com/immure-dev/immure/internal/store"
	"github.com/immure-dev/immure/profiles"
	"github.com/immure-dev/immure/verify"
	"github.com/immure-dev/immure/verify/image"
	"github.com/immure-dev/immure/verify/observe"
)

// A checkedRoot is an unpacked image whose files are those that were sealed.
type checkedRoot struct {
	dir  string
	tree *rootfs.Tree
}

// unpacked gives the image's files from the private store, unpacked on first
// use, and checks every byte of them against the seal each time: what lies in
// the store is believed no more than what a registry sends.
func unpacked(dir string, img *opened, v *image.Verdict) (*checkedRoot, func(), error) {
	if v.TreeDigest == "" {
		return nil, nil, verify.Refuse("signature", "no seal by a trusted key inside the image", "a seal",
			"seal it (immure seal): files can be checked against a seal only")
	}
	s, err := store.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	root, release, err := s.Rootfs(v.TreeDigest, func(dir string) error { return image.Extract(img.Image, dir) })
	if err != nil {
		return nil, nil, err
	}
	t, err := rootfs.ReadDir(root, rootfs.DefaultLimits)
	if err != nil {
		release()
		return nil, nil, err
	}
	defer t.Close()
	got, err := tree.Digest(t, tree.SealPath)
	if err == nil && got != v.TreeDigest {
		err = verify.Refuse("files", tree.Algorithm+":"+got, tree.Algorithm+":"+v.TreeDigest,
			"the files in the store were changed: remove "+root+" and find out who did it")
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return &checkedRoot{dir: root, tree: t}, release, nil
}

// config renders the tightest configuration, reads it back as a stranger's and
// judges it by the envelope before it is used.
func (o *runOptions) config(service, envelope harden.Boundary, root *checkedRoot, id string) ([]byte, error) {
	sources, err := o.sources()
	if err != nil {
		return nil, err
	}
	if err := pinned(service, sources); err != nil {
		return nil, err
	}
	data, err := renderConfig(service, oci.Input{ID: id, Rootfs: root.dir, Hostname: id, Env: o.env, Mounts: sources})
	if err != nil {
		return nil, err
	}
	kinds := make(map[string]string)
	for _, s := range service.Mounts.Members() {
		if from, ok := sources[s.At]; ok {
			kinds[from] = s.Kind
		}
	}
	reading, err := oci.Parse(data, oci.Options{
		Resolve: func(p string) string { return resolved(root.tree, p) },
		// The node's root names the source of each slot on the command line.
		Classify: func(source string) (string, bool) { kind, ok := kinds[source]; return kind, ok },
	})
	if err != nil {
		return nil, err
	}
	if d := verify.Decide(envelope, reading); !d.Allowed {
		return nil, &verify.RefusedError{Refusals: d.Refusals}
	}
	return data, nil
}

// pinned refuses sources for slots whose content was signed: it could change
// after it was looked at.
func pinned(service harden.Boundary, sources map[string]string) error {
	for at := range sources {
		slots := service.Mounts.Members()
		found := false
		for _, s := range slots {
			if s.At == at {
				found = true
				if s.Digest != order.Any {
					return verify.Refuse("mounts", "a directory of the host at "+at, s.String(), "leave it out: run cannot hold its content still")
				}
			}
		}
		if !found {
			return verify.Refuse("mounts", "a mount at "+at, service.Mounts.String(), "fill a slot that was signed")
		}
	}
	return nil
}

// resolved is where a path leads inside the root. A path that leads nowhere is
// its own: the runtime makes it there.
func resolved(t *rootfs.Tree, p string) string {
	_, real, err := t.Resolve(p)
	if err != nil {
		return p
	}
	return real
}

// renderConfig renders a service with the floor of every runtime known here.
func renderConfig(service harden.Boundary, in oci.Input) ([]byte, error) {
	b, err := withFloor(service)
	if err != nil {
		return nil, err
	}
	return oci.RenderJSON(b, in)
}

// withFloor adds what every runtime known here calls between filter and
// program: which one will read a rendering is not known.
func withFloor(b harden.Boundary) (harden.Boundary, error) {
	if b.Syscalls.IsUnconfined() {
		return b, nil
	}
	return profiles.Strict(b)
}

// checkCreated reads the created container back from the kernel, before any
// code of the service has run.
func checkCreated(service harden.Boundary, pid int) error {
	s, err := observe.ReadStatus(pid)
	if err != nil {
		return err
	}
	if d := verify.Decide(service, createdReading(s)); !d.Allowed {
		return &verify.RefusedError{Refusals: d.Refusals}
	}
	return nil
}

func names(list []string) order.Set[grant.Name] {
	set := order.Of[grant.Name]()
	for _, n := range list {
		set = set.With(grant.Name(n))
	}
	return set
}
