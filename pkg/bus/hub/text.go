package hub

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
)

const (
	// pingEvery and maxPingsOut notice within 6 s that a robot's connection passes nothing any more.
	pingEvery   = "2s"
	maxPingsOut = 2
	// MaxPayload is the largest message in bytes: package bus splits what is larger.
	MaxPayload = 1 << 20
	// OldestVersion is that of the oldest servers that may connect.
	OldestVersion = "2.12.0"
)

// Text returns the configuration of a nats-server that does what the hub does.
func (c *Config) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) } // cannot fail
	line("# Written by waldo hub --print-config for nats-server %s or later.", OldestVersion)
	line("server_name: %s", quoted(c.Hub))
	line("listen: %s", quoted(hostPort(c.listen())))
	line("max_payload: %d", MaxPayload)
	line("ping_interval: %s", quoted(pingEvery))
	line("ping_max: %d", maxPingsOut)
	line("write_deadline: \"5s\"")
	line("no_fast_producer_stall: true")
	c.tls(line, "")
	line("leafnodes {")
	line("  listen: %s", quoted(hostPort(c.leaf())))
	line("  no_advertise: true")
	line("  compression: off")
	line("  min_version: %s", quoted(OldestVersion))
	c.tls(line, "  ")
	line("}")
	line("system_account: %s", System)
	line("accounts {")
	line("  %s {}", System)
	c.cloud(line)
	for _, name := range slices.Sorted(maps.Keys(c.Robots)) {
		account(line, name, c.Robots[name].Key)
	}
	line("}")
	return b.String()
}

func (c *Config) tls(line func(string, ...any), indent string) {
	if c.TLS.Cert != "" {
		line("%stls {cert_file: %s, key_file: %s}", indent, quoted(c.TLS.Cert), quoted(c.TLS.Key))
	}
}

// export is what a robot has for gateways.
type export struct{ sort, subject, response string }

// exports lists what gateways may hear of a robot and send to it. Of the messages of programs they hear and send.
func exports(name string) []export {
	root := "waldo.v1." + name
	return []export{
		{"stream", root + ".*.state", ""},
		{"stream", root + ".*.out.>", ""},
		{"stream", root + ".msg.>", ""},
		{"service", root + ".*.rpc.>", "Stream"},
		{"service", root + ".*.in.>", ""},
		{"service", root + ".msg.>", ""},
		{"service", "$SRV.>", "Stream"},
	}
}

// cloud writes the account of gateways.
func (c *Config) cloud(line func(string, ...any)) {
	line("  %s {", Cloud)
	users(line, c.Gateways)
	line("    exports: [{stream: %s}]", quoted(Ask))
	line("    imports: [")
	for _, name := range slices.Sorted(maps.Keys(c.Robots)) {
		for _, e := range exports(name) {
			line("      {%s: {account: %s, subject: %s}}", e.sort, quoted(name), quoted(e.subject))
		}
	}
	line("    ]")
	line("  }")
}

// account writes that of a robot.
func account(line func(string, ...any), name, key string) {
	line("  %s {", quoted(name))
	line("    users: [{nkey: %s}]", key)
	line("    limits: {max_leafnodes: 1}")
	line("    exports: [")
	for _, e := range exports(name) {
		response := ""
		if e.response != "" {
			response = ", response_type: " + e.response
		}
		line("      {%s: %s%s, accounts: [%s]}", e.sort, quoted(e.subject), response, Cloud)
	}
	line("    ]")
	line("    imports: [{stream: {account: %s, subject: %s}}]", Cloud, quoted(Ask))
	line("  }")
}

func users(line func(string, ...any), members map[string]Member) {
	line("    users: [")
	for _, name := range slices.Sorted(maps.Keys(members)) {
		line("      {nkey: %s}", members[name].Key)
	}
	line("    ]")
}

// quoted returns a text as the configuration of nats-server takes it. Names and keys have been checked; paths may have
// any characters but control characters.
func quoted(text string) string { return strconv.Quote(text) }

// hostPort has an address without a host mean all interfaces, in both versions of IP.
func hostPort(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err == nil && host == "" {
		return net.JoinHostPort("0.0.0.0", port)
	}
	return address
}
