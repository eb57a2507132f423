package registry

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

// maxAnswerBytes bounds every answer that is not a blob: manifests, listings,
// tokens, errors.
const maxAnswerBytes = 8 << 20

// maxRedirects is enough for a registry that keeps its blobs elsewhere.
const maxRedirects = 4

// blobKey marks the context of a request for a blob, which is bounded by its
// descriptor, also where the registry redirects to another host.
type blobKey struct{}

// newTransport is the usual transport with bounds of our own.
func newTransport(registry name.Registry, plainHTTP bool) *guard {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxResponseHeaderBytes = 256 << 10
	t.ResponseHeaderTimeout = 60 * time.Second
	// A compressed answer could unpack to any size, and no blob is asked for so.
	t.DisableCompression = true
	return &guard{transport: t, host: registry.RegistryStr(), plainHTTP: plainHTTP}
}

// A guard stands between the registry client and the network.
type guard struct {
	transport *http.Transport
	host      string // the registry's, for which plainHTTP holds
	plainHTTP bool
}

// close ends idle connections, so that none outlives its repository.
func (g *guard) close() { g.transport.CloseIdleConnections() }

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !loopback(req.URL.Hostname()) && (!g.plainHTTP || req.URL.Host != g.host) {
		return nil, fmt.Errorf("%s speaks plain HTTP: only loopback addresses may, unless it is said", req.URL.Host)
	}
	resp := g.plainly(req)
	if resp == nil {
		var err error
		if resp, err = g.transport.RoundTrip(req); err != nil {
			return nil, err
		}
	}
	if resp.Header.Get("Content-Encoding") != "" {
		resp.Body.Close()
		return nil, fmt.Errorf("%s answers in an encoding that was not asked for", req.URL.Host)
	}
	if req.Context().Value(blobKey{}) == nil || resp.StatusCode != http.StatusOK {
		resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxAnswerBytes}
	}
	return resp, nil
}

// plainly spares a TLS handshake with a registry on this machine that speaks
// plain HTTP, as nearly all do. The client's first question, which carries no
// credentials, is asked without TLS; an answer tells the client to go on so
// (transport.Ping goes by the answer's own request). A server that wants TLS
// answers with status 400 or not at all, and is then asked by it.
func (g *guard) plainly(req *http.Request) *http.Response {
	if req.URL.Scheme != "https" || req.URL.Host != g.host || req.URL.Path != "/v2/" || !loopback(req.URL.Hostname()) || req.Header.Get("Authorization") != "" {
		return nil
	}
	plain := req.Clone(req.Context())
	plain.URL.Scheme = "http"
	resp, err := g.transport.RoundTrip(plain)
	if err != nil {
		return nil
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnauthorized {
		resp.Body.Close()
		return nil
	}
	return resp
}

// checkRedirect keeps a registry from sending the client to services of the
// client's own network, unless the registry itself is on this machine.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	from, to := via[0].URL.Hostname(), req.URL.Hostname()
	ip := net.ParseIP(to)
	inward := to == "localhost" || (ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()))
	if inward && to != from && !loopback(from) {
		return fmt.Errorf("%s redirects to %s, an address of this network", from, to)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// A boundedBody fails beyond its bound.
type boundedBody struct {
	io.ReadCloser
	left int64
}

var errTooLarge = errors.New("the registry's answer is too large")

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		// One more byte tells an answer of exactly the bound from a larger one.
		if n, err := b.ReadCloser.Read(p[:min(1, len(p))]); n == 0 {
			return 0, err
		}
		return 0, errTooLarge
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
