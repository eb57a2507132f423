// Package debian turns the names of Debian packages into a root file system.
//
// What is wanted goes through three steps, each of which can be looked at:
// apt resolves the names into a [Lock] (exact versions and digests), the
// packages of the lock are fetched into a cache by digest, and their files are
// unpacked into one tree. With a lock file in place the first step is left out
// and the same packages come out on every machine.
//
// apt-get itself resolves and downloads, with the machine's sources, keyrings,
// preferences and proxies, so that signatures are checked as apt checks them.
// Its state is private and temporary: nothing on the machine changes, no root
// is needed. No maintainer script runs, now or later: what a postinst would
// have made (users, alternatives, caches) does not exist.
//
// What does not belong here: which of the files a service needs (package elf
// and the builder), and what an image may hold (setuid bits are kept as they
// are).
//
// Sources: apt-get(8), apt.conf(5), sources.list(5), deb(5), deb-control(5),
// Debian Policy 5.6 and 7.6.
package debian
