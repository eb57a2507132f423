// Command service is what the tests run in a container. The variable MODE says
// what it does.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	mode, value, _ := strings.Cut(os.Getenv("MODE"), " ")
	switch mode {
	case "exit":
		status, err := strconv.Atoi(value)
		if err != nil {
			status = 99
		}
		os.Exit(status)
	case "listen":
		listen()
	default:
		signals()
	}
}

// signals prints each signal; SIGTERM ends it with status 7.
func signals() {
	c := make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGHUP)
	fmt.Println("ready")
	for s := range c {
		fmt.Println("got", s)
		if s == syscall.SIGTERM {
			os.Exit(7)
		}
	}
}

// listen echoes on port 8080.
func listen() {
	l, err := net.Listen("tcp", ":8080")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ready")
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			_, _ = io.Copy(c, c) // the client may go at any time
			c.Close()
		}()
	}
}
