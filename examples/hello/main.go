// Hello is a small HTTP server. It greets, and shows what it can and cannot do
// from where it runs.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", ":8080", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *listen); err != nil {
		log.Fatal(err)
	}
}

// serve answers requests until ctx ends, and then finishes those that are under
// way.
func serve(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	log.Printf("listening on %s", l.Addr())
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", greet)
	mux.HandleFunc("GET /walls", walls)
	return mux
}

func greet(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "hello, %s\n", cmp.Or(os.Getenv("HELLO_NAME"), "world"))
}

// walls tries what the boundary forbids and says what happened.
func walls(w http.ResponseWriter, r *http.Request) {
	tries := []struct {
		what string
		try  func() error
	}{
		{"write a file", func() error { return os.WriteFile("/usr/bin/hello.new", nil, 0o755) }},
		{"become root", func() error { return syscall.Setuid(0) }},
		{"open a kernel crypto socket", func() error { return socket(syscall.AF_ALG) }},
		{"open a raw packet socket", func() error { return socket(syscall.AF_PACKET) }},
		{"mount", func() error { return syscall.Mount("none", "/tmp", "tmpfs", 0, "") }},
		{"start a shell", func() error { return syscall.Access("/bin/sh", 1) }},
	}
	for _, t := range tries {
		outcome := "DONE"
		if err := t.try(); err != nil {
			outcome = "refused: " + strings.ToLower(err.Error())
		}
		fmt.Fprintf(w, "%-28s %s\n", t.what, outcome)
	}
}

func socket(family int) error {
	fd, err := syscall.Socket(family, syscall.SOCK_RAW, 0)
	if err == nil {
		syscall.Close(fd)
	}
	return err
}
