package main

import (
	"bufio"
	"strings"
	"testing"
)

func TestReply(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
		bad            bool
	}{
		{name: "simple", in: "+OK\r\n", want: "OK"},
		{name: "error", in: "-NOPERM not you\r\n", want: "NOPERM not you"},
		{name: "integer", in: ":7\r\n", want: "7"},
		{name: "bulk", in: "$5\r\nbrick\r\n", want: "brick"},
		{name: "bulk with line ends", in: "$4\r\na\r\nb\r\n", want: "a\r\nb"},
		{name: "nothing", in: "", bad: true},
		{name: "no kind", in: "\r\n", bad: true},
		{name: "array", in: "*1\r\n:1\r\n", bad: true},
		{name: "null", in: "$-1\r\n", bad: true},
		{name: "too long", in: "$99999999999\r\n", bad: true},
		{name: "cut off", in: "$5\r\nbri", bad: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := reply(bufio.NewReader(strings.NewReader(tc.in)))
			if tc.bad && err == nil {
				t.Errorf("got %q, want an error", got)
			}
			if !tc.bad && (err != nil || got != tc.want) {
				t.Errorf("got %q (%v), want %q", got, err, tc.want)
			}
		})
	}
}

func TestLine(t *testing.T) {
	digest := "127.0.0.1:5000/hello@sha256:" + strings.Repeat("0123abcd", 8)
	got := line([]string{"run", digest, "-e", "HELLO_NAME=a b"})
	if want := "run 127.0.0.1:5000/hello@sha256:0123abcd… -e 'HELLO_NAME=a b'"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := clip(strings.Repeat("é", 500)); len([]rune(got)) != 190 || !strings.HasSuffix(got, "é…") {
		t.Errorf("clipped to %q", got)
	}
}
