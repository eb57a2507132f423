package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// askTime is the longest that a service may take over an answer.
const askTime = 10 * time.Second

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 10

// get shows a request and its answer.
func (d *demo) get(ctx context.Context, url string) (string, error) {
	d.printf("GET %s\n", url)
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := patiently(ctx, func() (*http.Response, error) { return client.Do(req) })
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("GET %s: %w", url, err)
	}
	d.show(string(body))
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return string(body), nil
}

// ask sends redis commands, each over a connection of its own, shows the
// answers and returns them.
func (d *demo) ask(ctx context.Context, addr string, commands ...string) ([]string, error) {
	var answers []string
	for _, command := range commands {
		d.printf("redis %s> %s\n", addr, command)
		answer, err := patiently(ctx, func() (string, error) { return exchange(ctx, addr, command) })
		if err != nil {
			return answers, fmt.Errorf("ask redis %q: %w", command, err)
		}
		d.show(answer)
		answers = append(answers, answer)
	}
	return answers, nil
}

func exchange(ctx context.Context, addr, command string) (string, error) {
	dialer := net.Dialer{Timeout: askTime}
	c, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(askTime)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, command+"\r\n"); err != nil {
		return "", err
	}
	return reply(bufio.NewReader(io.LimitReader(c, maxAnswer)))
}

// patiently asks until there is an answer: a port is published before the
// service behind it has begun to listen.
func patiently[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		answer, err := ask()
		if err == nil || ctx.Err() != nil {
			return answer, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return answer, err
		}
	}
}

// reply reads one simple, error, integer or bulk reply.
// Source: redis.io, "Redis serialization protocol specification", RESP2.
func reply(in *bufio.Reader) (string, error) {
	head, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	head = strings.TrimRight(head, "\r\n")
	kind, rest := head[:min(1, len(head))], head[min(1, len(head)):]
	switch kind {
	case "+", "-", ":":
		return rest, nil
	case "$":
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 || n > maxAnswer {
			return "", fmt.Errorf("reply of length %q", rest)
		}
		data := make([]byte, n+len("\r\n"))
		_, err = io.ReadFull(in, data)
		return string(data[:n]), err
	}
	return "", fmt.Errorf("reply %q is of no kind that was asked for", clip(head))
}
