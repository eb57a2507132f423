package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// emptyRoot is a trusted root that trusts nobody: with a key none is needed, and
// with it cosign asks nobody for one.
const emptyRoot = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`

// verifying compares the check of one image with a key, and shows whom each
// program speaks to.
func verifying(ctx context.Context, b *bed, r *report) error {
	if err := b.hello(ctx); err != nil {
		return err
	}
	if err := b.write("root.json", []byte(emptyRoot)); err != nil {
		return err
	}
	tagged, err := b.tag(ctx)
	if err != nil {
		return err
	}
	check := func(image string, more ...string) []command {
		argv := []string{b.cosign, "verify-attestation", "--key", "cosign.pub", "--private-infrastructure", "--type", predicateType}
		return []command{{argv: append(append(argv, more...), image)}}
	}
	verify := []string{b.immure, "verify", "--key", "cosign.pub", b.image}
	all, err := b.race(
		ctx,
		contestant{name: "immure", commands: []command{{argv: verify}}},
		contestant{name: "cosign", commands: check(b.image, "--trusted-root", "root.json")},
		contestant{name: "cosign, .att tag", commands: check(tagged, "--trusted-root", "root.json")},
		contestant{name: "cosign, .att tag, asks for TUF", commands: check(tagged)},
		contestant{name: "immure, every file", commands: []command{{argv: append(verify[:len(verify):len(verify)], "--files")}}},
	)
	if err != nil {
		return err
	}
	r.title("verify: one image in a registry, with a key")
	r.commands(b, all)
	r.table(all)
	r.printf("cosign's own default asks for its TUF root even with a key; for a bundle, as immure writes it, it then fails where\n")
	r.printf("there is no network, so the last of its rows shows its own .att tag for the same image. It is compared without.\n")
	r.figure("verify, wall time against cosign", 1.0/3, median(all[0].of(wall))/median(all[1].of(wall)), "×")
	r.figure("verify, peak memory against cosign", 1.0/3, median(all[0].of(memory))/median(all[1].of(memory)), "×")
	r.title("verify: whom each program speaks to")
	for _, s := range all[:4] {
		said, err := b.watch(ctx, s.commands[0])
		if err != nil {
			return err
		}
		r.printf("%-*s  %s\n", width(all), s.name, said)
		if s.name == "immure" {
			r.figure("verify, hosts spoken to but the registry", 0, float64(said.others(b.registry)), "hosts")
		}
	}
	r.printf("counted by a seccomp notification of every connect, sendto, sendmsg and sendmmsg, tried or done\n")
	return r.err
}

// predicate is what was signed about an image.
func (b *bed) predicate(ctx context.Context, image string) ([]byte, error) {
	out, err := b.output(ctx, b.immure, "inspect", "--json", "--key", "cosign.pub", image)
	if err != nil {
		return nil, err
	}
	var view struct{ Signed json.RawMessage }
	if err := json.Unmarshal([]byte(out), &view); err != nil {
		return nil, fmt.Errorf("read inspect: %w", err)
	}
	return view.Signed, nil
}

// tag copies the image, alone, to another repository and lets cosign attest it
// there in its older form.
func (b *bed) tag(ctx context.Context) (string, error) {
	from, err := name.NewDigest(b.image)
	if err != nil {
		return "", fmt.Errorf("copy image: %w", err)
	}
	to, err := name.NewRepository(b.registry + "/tagged")
	if err != nil {
		return "", fmt.Errorf("copy image: %w", err)
	}
	tagged := to.Digest(from.DigestStr())
	img, err := remote.Image(from)
	if err == nil {
		err = remote.Write(tagged, img)
	}
	if err != nil {
		return "", fmt.Errorf("copy image: %w", err)
	}
	_, err = b.output(ctx, b.cosign, "attest", "--key", "cosign.key", "--tlog-upload=false", "--yes",
		"--type", predicateType, "--predicate", "predicate.json", tagged.String())
	return tagged.String(), err
}
