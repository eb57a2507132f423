package testregistry_test

import (
	"context"
	"net"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/internal/testregistry"
)

func TestStartAnswersReferrers(t *testing.T) {
	repo, err := name.NewRepository(testregistry.Start(t) + "/service")
	if err != nil {
		t.Fatal(err)
	}
	subject, err := random.Image(1<<10, 2)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := subject.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(repo.Digest(digest.String()), subject); err != nil {
		t.Fatal(err)
	}
	desc, err := partial.Descriptor(subject)
	if err != nil {
		t.Fatal(err)
	}
	evidence, ok := mutate.Subject(empty.Image, *desc).(v1.Image)
	if !ok {
		t.Fatal("an image with a subject is no image")
	}
	want, err := evidence.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(repo.Digest(want.String()), evidence); err != nil {
		t.Fatal(err)
	}

	index, err := remote.Referrers(repo.Digest(digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Digest != want {
		t.Errorf("referrers of %s: got %v, want %s alone", digest, manifest.Manifests, want)
	}
}

func TestEachRegistryIsItsOwn(t *testing.T) {
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	one, err := name.NewTag(testregistry.Start(t) + "/service:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(one, image); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(one); err != nil {
		t.Errorf("head of what was pushed: %v", err)
	}
	other, err := name.NewTag(testregistry.Start(t) + "/service:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(other); err == nil {
		t.Error("an image pushed to one registry is found in another")
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	l, err := testregistry.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := testregistry.Serve(ctx, l, testregistry.Handler()); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("a stopped registry still accepts connections")
	}
}
