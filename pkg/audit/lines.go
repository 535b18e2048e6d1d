package audit

import (
	"bytes"
	"net"
	"slices"
)

// reversedLines cuts a text into lines, the last one first.
func reversedLines(data []byte) [][]byte {
	lines := bytes.Split(data, []byte{'\n'})
	slices.Reverse(lines)
	return lines
}

// host returns the host of an address, which may have a port.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
