package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/internal/oci/content"
)

// maxPages bounds the pages of one listing.
const maxPages = 64

var manifestTypes = strings.Join([]string{
	string(types.OCIManifestSchema1), string(types.OCIImageIndex),
	string(types.DockerManifestSchema2), string(types.DockerManifestList),
}, ", ")

// Manifest opens a manifest or index by its digest.
func (r *Repository) Manifest(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	resp, err := r.get(ctx, r.path("manifests", digest.String()), manifestTypes)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Blob opens a blob by its digest.
func (r *Repository) Blob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	resp, err := r.get(context.WithValue(ctx, blobKey{}, true), r.path("blobs", digest.String()), "")
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Referrers lists what is attached to a digest: by the referrers API, or by the
// referrers tag where the registry does not have one.
func (r *Repository) Referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	all, err := r.referrers(ctx, digest)
	if err == nil || !isStatus(err, http.StatusNotFound, http.StatusBadRequest, http.StatusNotAcceptable, http.StatusMethodNotAllowed) {
		return all, err
	}
	data, err := r.tagged(ctx, strings.Replace(digest.String(), ":", "-", 1))
	if isStatus(err, http.StatusNotFound) {
		return nil, nil // no tag: nothing is attached
	}
	if err != nil {
		return nil, err
	}
	return descriptors(data)
}

func (r *Repository) referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	var all []v1.Descriptor
	next := r.path("referrers", digest.String())
	for range maxPages {
		resp, err := r.get(ctx, next, string(types.OCIImageIndex))
		if err != nil {
			return nil, err
		}
		data, err := readBody(resp)
		if err != nil {
			return nil, err
		}
		page, err := descriptors(data)
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); len(all) > content.MaxDescriptors {
			return nil, fmt.Errorf("more than %d referrers", content.MaxDescriptors)
		}
		if next, err = r.nextPage(resp, next); err != nil || next == "" {
			return all, err
		}
	}
	return nil, fmt.Errorf("more than %d pages of referrers", maxPages)
}

func descriptors(data []byte) ([]v1.Descriptor, error) {
	index, err := content.ParseIndex(data)
	if err != nil {
		return nil, err
	}
	return index.Manifests, nil
}

// nextPage follows a Link header (RFC 8288) within the same listing only.
func (r *Repository) nextPage(resp *http.Response, current string) (string, error) {
	link := resp.Header.Get("Link")
	if link == "" {
		return "", nil
	}
	target, params, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if !ok || !strings.Contains(strings.ReplaceAll(params, `"`, ""), "rel=next") {
		return "", fmt.Errorf("cannot follow the link %.80q to the next page", link)
	}
	base, err := url.Parse(current)
	if err != nil {
		return "", err
	}
	next, err := base.Parse(target)
	if err != nil || next.Host != base.Host || next.Path != base.Path {
		return "", fmt.Errorf("the link %.80q to the next page leads elsewhere", link)
	}
	next.Scheme = base.Scheme
	return next.String(), nil
}

// tagged reads the manifest that a tag names now.
func (r *Repository) tagged(ctx context.Context, tag string) ([]byte, error) {
	resp, err := r.get(ctx, r.path("manifests", tag), manifestTypes)
	if err != nil {
		return nil, err
	}
	return readBody(resp)
}

func readBody(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, content.MaxManifestBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > content.MaxManifestBytes {
		return nil, fmt.Errorf("answer of more than %d bytes", content.MaxManifestBytes)
	}
	return data, nil
}

func (r *Repository) path(kind, of string) string {
	return fmt.Sprintf("%s://%s/v2/%s/%s/%s", r.repo.Scheme(), r.repo.RegistryStr(), r.repo.RepositoryStr(), kind, of)
}

func (r *Repository) get(ctx context.Context, target, accept string) (*http.Response, error) {
	client, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

func isStatus(err error, codes ...int) bool {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return false
	}
	for _, c := range codes {
		if answer.StatusCode == c {
			return true
		}
	}
	return false
}
