// Package badregistry is a registry that lies, for tests.
//
// It stands in front of a real one and answers chosen requests itself: with
// other bytes, without end, never, or by sending the client elsewhere. What is
// not chosen is passed on, so that images can be pushed to it first.
package badregistry

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/immure-dev/immure/internal/testregistry"
)

// A Registry is an http.Handler.
type Registry struct {
	honest http.Handler

	mu   sync.Mutex
	lies []lie
	seen []*http.Request
}

type lie struct {
	part   string
	answer http.HandlerFunc
}

// Start serves an empty registry on a loopback port until the test ends, and
// returns it with its address, ready to be the host of an image reference.
func Start(tb testing.TB) (r *Registry, addr string) {
	tb.Helper()
	r = &Registry{honest: testregistry.Handler()}
	s := httptest.NewServer(r)
	tb.Cleanup(s.Close)
	tb.Cleanup(s.CloseClientConnections)
	return r, s.Listener.Addr().String()
}

// Lie answers every GET whose path contains part with answer, from now on. The
// latest matching lie counts.
func (r *Registry) Lie(part string, answer http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lies = append(r.lies, lie{part, answer})
}

// Requests returns the requests whose path contains part, without bodies.
func (r *Registry) Requests(part string) []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []*http.Request
	for _, req := range r.seen {
		if strings.Contains(req.URL.Path, part) {
			found = append(found, req)
		}
	}
	return found
}

func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.choose(req).ServeHTTP(w, req)
}

func (r *Registry) choose(req *http.Request) http.Handler {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, req.Clone(req.Context()))
	for i := len(r.lies) - 1; i >= 0; i-- {
		if req.Method == http.MethodGet && strings.Contains(req.URL.Path, r.lies[i].part) {
			return r.lies[i].answer
		}
	}
	return r.honest
}

// Bytes answers with the given bytes.
func Bytes(mediaType string, data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = w.Write(data) // the client may have seen enough
	}
}

// Status answers with a status and an empty body.
func Status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// Redirect sends the client to another host, which is asked the same.
func Redirect(host string) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, "http://"+host+req.URL.RequestURI(), http.StatusTemporaryRedirect)
	}
}

// Endless sends blanks until the client goes away, or a length is reached that
// no client should read to. Each count is of bytes that were sent.
func Endless(mediaType string, sent func(n int)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		blanks := []byte(strings.Repeat(" ", 64<<10))
		for range (1 << 30) / len(blanks) {
			n, err := w.Write(blanks)
			if sent(n); err != nil || req.Context().Err() != nil {
				return
			}
		}
	}
}

// Bomb sends a gibibyte of blanks as a few compressed ones.
func Bomb(mediaType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		_, _ = io.CopyN(z, blank{}, 1<<30) // the client may have seen enough
	}
}

type blank struct{}

func (blank) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// Silent accepts the request and says nothing until the client goes away.
func Silent() http.HandlerFunc {
	return func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }
}

// Pages answers a listing with a page and the promise of another, for ever.
func Pages(mediaType string, page []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		var n int
		_, _ = fmt.Sscan(req.URL.Query().Get("n"), &n) // the first page has none
		w.Header().Set("Link", fmt.Sprintf(`<%s?n=%d>; rel="next"`, req.URL.Path, n+1))
		Bytes(mediaType, page)(w, req)
	}
}
