// Package testregistry runs an OCI registry inside a test.
//
// It is go-containerregistry's own registry: it keeps what is pushed in memory
// and answers the referrers API (OCI distribution-spec 1.1, "Listing
// Referrers"). It speaks plain HTTP on a loopback port that the kernel chooses,
// which is the one place where clients accept HTTP without being told.
//
// Test aids for registries that lie do not belong here: they wrap [Handler] in
// the test that needs them.
package testregistry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Handler returns a new, empty registry that answers referrers.
func Handler() http.Handler {
	return registry.New(
		registry.WithReferrersSupport(true),
		registry.Logger(log.New(io.Discard, "", 0)),
	)
}

// Start serves an empty registry until the test ends and returns its address
// as "127.0.0.1:port", ready to be the host part of an image reference.
func Start(tb testing.TB) (addr string) {
	tb.Helper()
	l, err := Listen()
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, Handler()) }()
	tb.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			tb.Error(err)
		}
	})
	return l.Addr().String()
}

// Listen opens a loopback port that the kernel chooses.
func Listen() (net.Listener, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for registry: %w", err)
	}
	return l, nil
}

// Serve answers on l with h until ctx is done. It closes l and every connection:
// whoever ends a registry in memory asks nothing of it any more.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve registry on %s: %w", l.Addr(), err)
	}
	return nil
}
