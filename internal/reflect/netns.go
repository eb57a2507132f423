package reflect

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// loopbackIndex is the interface index of lo, the first device of every
// network namespace (Linux drivers/net/loopback.c, loopback_net_init).
const loopbackIndex = 1

// configure brings lo up and adds the addresses in the calling thread's
// network namespace. What exists already stays.
func configure() error {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink socket: %w", err)
	}
	defer unix.Close(s)
	if err := exchange(s, linkUp(), unix.RTM_NEWLINK, 0); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	const create = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	if err := exchange(s, addressMessage(serviceAddress), unix.RTM_NEWADDR, create); err != nil && err != unix.EEXIST {
		return fmt.Errorf("add address %s to lo: %w", serviceAddress, err)
	}
	if err := exchange(s, localRoute(clientAddress, serviceAddress), unix.RTM_NEWROUTE, create); err != nil && err != unix.EEXIST {
		return fmt.Errorf("add local route %s: %w", clientAddress, err)
	}
	return nil
}

// The three messages are the structs of rtnetlink(7) with their attributes.

func linkUp() []byte {
	m := unix.IfInfomsg{Index: loopbackIndex, Flags: unix.IFF_UP, Change: unix.IFF_UP}
	return unsafe.Slice((*byte)(unsafe.Pointer(&m)), unix.SizeofIfInfomsg)
}

func addressMessage(a netip.Addr) []byte {
	m := unix.IfAddrmsg{Family: unix.AF_INET, Prefixlen: 32, Scope: unix.RT_SCOPE_UNIVERSE, Index: loopbackIndex}
	b := append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&m)), unix.SizeofIfAddrmsg)...)
	b = attribute(b, unix.IFA_LOCAL, a.AsSlice())
	return attribute(b, unix.IFA_ADDRESS, a.AsSlice())
}

// localRoute is of type local; from is what unbound UDP sockets answer from,
// which would be the peer's own address otherwise.
func localRoute(to, from netip.Addr) []byte {
	m := unix.RtMsg{
		Family: unix.AF_INET, Dst_len: 32, Table: unix.RT_TABLE_LOCAL,
		Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_HOST, Type: unix.RTN_LOCAL,
	}
	b := append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&m)), unix.SizeofRtMsg)...)
	b = attribute(b, unix.RTA_DST, to.AsSlice())
	b = attribute(b, unix.RTA_PREFSRC, from.AsSlice())
	return attribute(b, unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, loopbackIndex))
}

// attribute appends a 4-byte aligned struct rtattr; value is a multiple of 4.
func attribute(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return append(b, value...)
}

// exchange sends one request and reads its acknowledgement, whose error it
// returns as a bare errno.
func exchange(s int, body []byte, kind, flags uint16) error {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	b = append(b, make([]byte, 8)...) // sequence number and port id: the kernel answers one request at a time
	b = append(b, body...)
	if err := unix.Sendto(s, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	var answer [4096]byte
	n, _, err := unix.Recvfrom(s, answer[:], 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return fmt.Errorf("unexpected netlink answer of %d bytes", n)
	}
	if code := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// enter moves the calling thread into the namespace, which must not be the one
// it is in: the host's loopback device gets no addresses from us.
func enter(netns *os.File) error {
	own, err := os.Stat("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("read own network namespace: %w", err)
	}
	theirs, err := netns.Stat()
	if err != nil {
		return fmt.Errorf("read the service's network namespace: %w", err)
	}
	if os.SameFile(own, theirs) {
		return fmt.Errorf("enter network namespace: the service shares the host's; publish needs one of its own")
	}
	if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	return nil
}
