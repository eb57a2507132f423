package main

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// list is all attempts, in the order in which they are made.
func (d *demo) list() []attempt {
	ref := d.figures[hello].ref
	verify := func(ref string, more ...string) []string {
		return append([]string{"verify", ref, "--key", "cosign.pub"}, more...)
	}
	run := func(ref string, more ...string) []string {
		return append([]string{"run", ref, "--key", "cosign.pub", "--store", store}, more...)
	}
	config := func(title, file string, change func(object), facet, found string) attempt {
		return attempt{"config.json with " + title, func(context.Context) ([]string, error) {
			return verify(ref, "--config", file), d.request(file, change)
		}, facet, found}
	}
	repacked := func(title, as string, change func([]v1.Layer) ([]v1.Layer, error), args func(string, ...string) []string) attempt {
		return attempt{title, func(ctx context.Context) ([]string, error) {
			forged, err := d.repack(ctx, ref, as, change)
			return args(forged), err
		}, "files", "immureTree1:"}
	}
	return []attempt{
		{"an image built and signed by a stranger", func(context.Context) ([]string, error) {
			return run(d.image("evil")), nil
		}, "signature", "not signed by a trusted key"},
		repacked("one bit flipped in the program, manifest made to fit, seal kept", "hello:flipped", flipBit("usr/bin/hello"), run),
		repacked("a shell added in a layer on top", "hello:added", addFile("bin/sh", []byte("#!/bin/true\n")), verify),
		{"the signed statement of hello put beside the stranger's image", func(ctx context.Context) ([]string, error) {
			evil, err := d.resolve(ctx, "evil:unsealed")
			if err != nil {
				return nil, err
			}
			return verify(evil), d.lendStatement(ctx, ref, evil)
		}, "signature", "1 for another image"},
		{"the seal of hello put into the stranger's image", d.lendSeal(verify), "files", "immureTree1:"},
		config("a capability more", "capability.json", moreCapability, "capabilities.bounding", "CAP_SYS_ADMIN"),
		config("a writable root", "writable.json", writableRoot, "rootfs", "writable"),
		config("the host's root mounted at /host", "mount.json", hostMount, "mounts", "/host"),
		config("no seccomp", "unconfined.json", noSeccomp, "syscalls", "unconfined"),
		config("the host's processes in sight", "pids.json", hostPIDs, "namespaces.pid", "host"),
		config("a working directory of the host (CVE-2024-21626)", "cwd.json", hostCwd, "process.cwd", "/proc/self/fd/7"),
		config("a library smuggled in by the environment", "preload.json", preload, "process.env", "LD_PRELOAD"),
		{"a port published that the boundary does not state", func(context.Context) ([]string, error) {
			return run(ref, "-p", "127.0.0.1:0:9090"), nil
		}, "network.listen", "9090/tcp"},
		{"the unpacked program changed on this machine's disk", d.changeStore(run, ref), "files", "immureTree1:"},
		{"the next release, signed with the right key, with twice the memory", d.widen(ref), "resources.memoryMaxBytes", "134217728"},
	}
}
