#!/bin/bash
# TCP_NOTSENT_LOWAT of a listening socket is lost on the connections that Go accepts from it.
#
# Go 1.26.8, Linux 6.18 (net.mptcp.enabled=1): since Go 1.24 net.Listen makes sockets of Multipath TCP. Connections of
# plain TCP that such a socket accepts do not inherit the option (-1 is no bound), as they do from a socket of plain TCP.
# So one that net.ListenConfig.Control sets bounds nothing: a writer to a peer that does not read goes on until the send
# buffer is full, megabytes later. With SetMultipathTCP(false), or set on each accepted connection, it works.
#
# Seen:  default: -1 | without Multipath TCP: 32768 | set on the connection: 32768
#
# So pkg/socket.Listen sets it on each connection that it accepts.
set -euo pipefail
[ "$(cat /proc/sys/net/mptcp/enabled 2>/dev/null || echo 0)" = 1 ] || { echo "this kernel has no Multipath TCP: not run"; exit 0; }
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"syscall"
)

const notSentLowat = 25 // TCP_NOTSENT_LOWAT

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func set(c syscall.RawConn) (err error) {
	check(c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, notSentLowat, 32768) }))
	return err
}

// accepted returns the option of a connection that a listener accepts.
func accepted(l net.Listener, again bool) (n int) {
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	check(err)
	defer client.Close()
	c, err := l.Accept()
	check(err)
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	check(err)
	if again {
		check(set(raw))
	}
	check(raw.Control(func(fd uintptr) { n, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, notSentLowat) }))
	check(err)
	return n
}

func main() {
	control := func(_, _ string, c syscall.RawConn) error { return set(c) }
	usual := net.ListenConfig{Control: control}
	plain := net.ListenConfig{Control: control}
	plain.SetMultipathTCP(false)
	listen := func(c net.ListenConfig) net.Listener {
		l, err := c.Listen(context.Background(), "tcp4", "127.0.0.1:0")
		check(err)
		return l
	}
	fmt.Printf("default: %d | without Multipath TCP: %d | set on the connection: %d\n",
		accepted(listen(usual), false), accepted(listen(plain), false), accepted(listen(usual), true))
}
GO
cat >go.mod <<'MOD'
module finding

go 1.26
MOD
seen=$(go run .)
echo "$(go env GOVERSION), Linux $(uname -r): $seen"
[ "$seen" = "default: -1 | without Multipath TCP: 32768 | set on the connection: 32768" ]
