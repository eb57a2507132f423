// Command probe runs in a container and prints what the kernel answers.
//
//	probe calls FILE    each line "number arg0 arg1 arg2": prints the error number, 0 for none
//	probe mounts        prints /proc/self/mountinfo
package main

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
)

func main() {
	if err := probe(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func probe(args []string) error {
	if args[0] == "mounts" {
		data, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(data)
		return err
	}
	f, err := os.Open(args[1])
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var n, a, b, c uintptr
		if _, err := fmt.Sscan(lines.Text(), &n, &a, &b, &c); err != nil {
			return err
		}
		_, _, errno := syscall.Syscall(n, a, b, c)
		fmt.Fprintln(out, int(errno))
	}
	return out.Flush()
}
