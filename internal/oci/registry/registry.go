package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/immure-dev/immure/internal/oci/content"
)

// Options say how a registry is spoken to.
type Options struct {
	// PlainHTTP lets the registry named speak HTTP without TLS. Loopback
	// addresses always may.
	PlainHTTP bool
	// Keychain gives credentials; nil is that of the user's container tools.
	Keychain authn.Keychain
}

// A Repository is one repository of a registry, a [content.Source]. It is safe
// for concurrent use. Close it after use.
type Repository struct {
	repo     name.Repository
	keychain authn.Keychain
	guard    *guard

	mu     sync.Mutex
	client *http.Client
}

var _ content.Source = (*Repository)(nil)

// Open returns the repository of a reference and what it names there: "@" and
// a digest, ":" and a tag, or nothing, which is the tag "latest". Nothing is
// asked of the registry yet.
func Open(reference string, o Options) (*Repository, name.Reference, error) {
	options := []name.Option{name.WeakValidation}
	if o.PlainHTTP {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(reference, options...)
	if err != nil {
		return nil, nil, fmt.Errorf("read image reference: %w", err)
	}
	keychain := o.Keychain
	if keychain == nil {
		keychain = authn.DefaultKeychain
	}
	repo := ref.Context()
	return &Repository{repo: repo, keychain: keychain, guard: newTransport(repo.Registry, o.PlainHTTP)}, ref, nil
}

// Close ends the repository's idle connections.
func (r *Repository) Close() { r.guard.close() }

// connect authenticates once. A failed try is tried again by the next call.
func (r *Repository) connect(ctx context.Context) (*http.Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client != nil {
		return r.client, nil
	}
	auth, err := authn.Resolve(ctx, r.keychain, r.repo)
	if err != nil {
		return nil, fmt.Errorf("find credentials for %s: %w", r.repo.RegistryStr(), err)
	}
	scopes := []string{r.repo.Scope(transport.PullScope)}
	t, err := transport.NewWithContext(ctx, r.repo.Registry, auth, r.guard, scopes)
	if err != nil {
		return nil, fmt.Errorf("reach registry %s: %w", r.repo.RegistryStr(), err)
	}
	r.client = &http.Client{Transport: t, CheckRedirect: checkRedirect}
	return r.client, nil
}

// Resolve returns the digest that a reference names now. The digest of a tag is
// computed from the bytes that the registry gives for it; from then on only
// the digest is to be used, for a tag can move (GHSA-m3cq-xcx9-3gvm).
func (r *Repository) Resolve(ctx context.Context, ref name.Reference) (v1.Hash, error) {
	if d, ok := ref.(name.Digest); ok {
		h, err := v1.NewHash(d.DigestStr())
		if err == nil {
			err = content.CheckDigest(h)
		}
		if err != nil {
			return v1.Hash{}, fmt.Errorf("resolve %s: %w", ref, err)
		}
		return h, nil
	}
	data, err := r.tagged(ctx, ref.Identifier())
	if err != nil {
		return v1.Hash{}, fmt.Errorf("resolve %s: %w", ref, err)
	}
	if _, err := content.MediaType(data); err != nil {
		return v1.Hash{}, fmt.Errorf("resolve %s: %w", ref, err)
	}
	h, _, err := v1.SHA256(bytes.NewReader(data))
	return h, err
}

// Missing reports whether an error is the registry's answer that it does not
// have what was asked for.
func Missing(err error) bool {
	return isStatus(err, http.StatusNotFound) && !errors.Is(err, context.Canceled)
}
