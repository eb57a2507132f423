package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/immure-dev/immure/internal/testregistry"
)

// Plain HTTP is for loopback addresses, and for the registry of which it was
// said. The context is done, so that nothing is dialled.
func TestPlainHTTP(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		url     string
		said    bool
		refused bool
	}{
		{"https://registry.example/v2/", false, false},
		{"http://registry.example/v2/", false, true},
		{"http://registry.example/v2/", true, false},
		{"http://10.0.0.1/v2/", false, true},
		{"http://other.example/token", true, true},
		{"http://localhost.example/v2/", false, true},
		{"http://127.0.0.1:5000/v2/", false, false},
		{"http://[::1]:5000/v2/", false, false},
		{"http://localhost:5000/v2/", false, false},
	} {
		reg, err := name.NewRegistry("registry.example")
		if err != nil {
			t.Fatal(err)
		}
		g := newTransport(reg, tc.said)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, tc.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := g.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
			t.Fatalf("%s answered", tc.url)
		}
		if got := strings.Contains(err.Error(), "speaks plain HTTP"); got != tc.refused || !got && !errors.Is(err, context.Canceled) {
			t.Errorf("%s, said: %v: got %v, want a refusal: %v", tc.url, tc.said, err, tc.refused)
		}
		g.close()
	}
}

func TestCheckRedirect(t *testing.T) {
	request := func(url string) *http.Request {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	for _, tc := range []struct {
		from, to string
		refused  bool
	}{
		{"https://registry.example/", "https://cdn.example/", false},
		{"https://registry.example/", "https://169.254.169.254/latest", true},
		{"https://registry.example/", "https://127.0.0.1:2375/", true},
		{"https://registry.example/", "https://localhost/", true},
		{"https://registry.example/", "https://[::1]/", true},
		{"https://registry.example/", "https://192.168.1.1/", true},
		{"https://192.168.1.1/", "https://192.168.1.1/blobs", false},
		{"http://127.0.0.1:5000/", "http://127.0.0.2:5000/", false},
	} {
		if err := checkRedirect(request(tc.to), []*http.Request{request(tc.from)}); (err != nil) != tc.refused {
			t.Errorf("%s to %s: got %v, want a refusal: %v", tc.from, tc.to, err, tc.refused)
		}
	}
	ring := make([]*http.Request, maxRedirects+1)
	for i := range ring {
		ring[i] = request("https://registry.example/")
	}
	if checkRedirect(request("https://registry.example/"), ring) == nil {
		t.Error("followed a ring of redirects")
	}
}

func FuzzNextPage(f *testing.F) {
	for _, seed := range []string{`</v2/x/referrers/d?n=2>; rel="next"`, `<http://evil.example/v2/x/referrers/d>; rel=next`, `<`, `<%>; rel=next`, `<//evil.example/>; rel=next`} {
		f.Add(seed)
	}
	r := &Repository{}
	f.Fuzz(func(t *testing.T, link string) {
		const current = "https://registry.example/v2/x/referrers/d"
		next, err := r.nextPage(&http.Response{Header: http.Header{"Link": {link}}}, current)
		if err == nil && next != "" && !strings.HasPrefix(next, current) {
			t.Errorf("%q leads to %q", link, next)
		}
	})
}

// A registry on this machine is spoken to as it speaks: one connection is made to
// one without TLS, and one with TLS is still spoken to by TLS.
func TestLoopback(t *testing.T) {
	plain := httptest.NewUnstartedServer(testregistry.Handler())
	var connections atomic.Int32
	plain.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	plain.Start()
	defer plain.Close()
	secure := httptest.NewTLSServer(testregistry.Handler())
	defer secure.Close()
	pool := x509.NewCertPool()
	pool.AddCert(secure.Certificate())
	for _, url := range []string{plain.URL, secure.URL} {
		_, host, _ := strings.Cut(url, "://")
		repo, ref, err := Open(host+"/service:v1", Options{})
		if err != nil {
			t.Fatal(err)
		}
		repo.guard.transport.TLSClientConfig = &tls.Config{RootCAs: pool}
		if _, err := repo.Resolve(t.Context(), ref); !Missing(err) {
			t.Errorf("%s: got %v, want an answer that there is no such image", url, err)
		}
		repo.Close()
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections to the registry without TLS, want 1", n)
	}
}
