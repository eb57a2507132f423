// Package reflect publishes ports of a service that lives in its own network
// namespace, without a bridge, a veth pair or a packet filter on the host.
//
// The host's sockets are opened by [Listen] before the container exists. Once
// its namespace does, [Listeners.Reflect] brings up the loopback device in it,
// gives it addresses of its own and starts the reflector: a process that is
// born in that namespace, holds the host's listening sockets and nothing else
// of the host, and has no capability, no group and no way to gain privileges.
// For each connection it accepts it dials the service from within.
//
// # Addresses
//
// A reflector that dialled 127.0.0.1 would make every client look local, and
// services that trust loopback (redis in protected mode) would trust the
// world. So it dials from 192.0.2.1 to 192.0.2.2, both out of 192.0.2.0/24
// (TEST-NET-1, RFC 5737): never routed, hence never a real peer, and not among
// the private or link-local ranges that frameworks trust by default. Only the
// second is an address of the loopback device. The first is a route of type
// local (ip-route(8)): the kernel lets a socket bind to it, yet no interface
// lists it, so that a service that trusts its own host's addresses (pg_hba's
// samehost, BIND's localhost) does not take a client for one of them either.
//
// The service sees the first for every peer; the peer's own address stays
// outside. A service reached by a published port listens on the second or on
// the unspecified address.
//
// The package neither knows containers nor runtimes; it is given a network
// namespace and a process to die with.
package reflect

import "net/netip"

// The addresses inside the service's namespace that every published connection
// comes from and goes to.
var (
	clientAddress  = netip.AddrFrom4([4]byte{192, 0, 2, 1})
	serviceAddress = netip.AddrFrom4([4]byte{192, 0, 2, 2})
)
