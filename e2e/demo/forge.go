package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/evidence"
)

// resolve gives a tag's reference by digest.
func (d *demo) resolve(ctx context.Context, tag string) (string, error) {
	img, err := d.pull(ctx, d.image(tag))
	if err != nil {
		return "", err
	}
	digest, err := img.Digest()
	repo, _, _ := strings.Cut(tag, ":")
	return d.image(repo) + "@" + digest.String(), err
}

func (d *demo) lendSeal(command func(string, ...string) []string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		sealed, err := d.pull(ctx, d.figures[hello].ref)
		if err != nil {
			return nil, err
		}
		from, err := sealed.Layers()
		if err != nil {
			return nil, err
		}
		forged, err := d.repack(ctx, d.image("evil:unsealed"), "evil:lent", func(own []v1.Layer) ([]v1.Layer, error) {
			return append(own, from[sealLayer]), nil
		})
		return command(forged), err
	}
}

// changeStore flips a bit of the program where run unpacked it before.
func (d *demo) changeStore(command func(string, ...string) []string, ref string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) {
		found, err := filepath.Glob(d.path(store + "/*/*/usr/bin/hello"))
		if err != nil || len(found) != 1 {
			return nil, fmt.Errorf("find the unpacked program: %d in the store, want 1", len(found))
		}
		data, err := os.ReadFile(found[0])
		if err != nil {
			return nil, err
		}
		data[len(data)/2] ^= 1
		return command(ref), os.WriteFile(found[0], data, 0o755)
	}
}

// widen builds hello with a looser boundary and compares.
func (d *demo) widen(ref string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		if err := d.copyExample(hello, "next"); err != nil {
			return nil, err
		}
		if err := d.edit("next/immure.yaml", "memory: 64Mi", "memory: 128Mi"); err != nil {
			return nil, err
		}
		args := []string{"build", "-f", "next/immure.yaml", "--key", "cosign.key", "--push", d.image("hello:next")}
		r, err := d.quietly(ctx, args...)
		return []string{"diff", "--quiet", "--key", "cosign.pub", ref, strings.TrimSpace(r.stdout)}, cmpStatus(r, err, args)
	}
}

// edit replaces a text that a file holds once.
func (d *demo) edit(file, from, to string) error {
	data, err := os.ReadFile(d.path(file))
	if err != nil {
		return err
	}
	if n := bytes.Count(data, []byte(from)); n != 1 {
		return fmt.Errorf("edit %s: %q is there %d times, want once", file, from, n)
	}
	return os.WriteFile(d.path(file), bytes.Replace(data, []byte(from), []byte(to), 1), 0o600)
}

// lendStatement puts the signed statement of one image beside another.
func (d *demo) lendStatement(ctx context.Context, from, to string) error {
	owner, err := name.NewDigest(from)
	if err != nil {
		return err
	}
	borrower, err := name.NewDigest(to)
	if err != nil {
		return err
	}
	subject, err := remote.Head(borrower, remote.WithContext(ctx))
	if err != nil {
		return err
	}
	index, err := remote.Referrers(owner, remote.WithContext(ctx))
	if err != nil {
		return err
	}
	list, err := index.IndexManifest()
	if err != nil {
		return err
	}
	lent := 0
	for _, m := range list.Manifests {
		if m.Annotations[evidence.PredicateTypeAnnotation] != attest.PredicateType {
			continue
		}
		statement, err := remote.Image(owner.Context().Digest(m.Digest.String()), remote.WithContext(ctx))
		if err != nil {
			return err
		}
		moved := mutate.Subject(statement, *subject).(v1.Image)
		digest, err := moved.Digest()
		if err != nil {
			return err
		}
		if err := remote.Write(borrower.Context().Digest(digest.String()), moved, remote.WithContext(ctx)); err != nil {
			return err
		}
		lent++
	}
	if lent == 0 {
		return fmt.Errorf("no statement beside %s to lend", from)
	}
	return nil
}
