// Package bus is NATS as Waldo uses it: typed messages, calls, holds and discovery.
//
// # Concepts
//
// [Connect] returns a [ConnCloser] to its owner, who passes its [Conn] on to borrowers; a Conn cannot be closed. A
// connection waits for a server that is not there yet and reconnects by itself, for ever. An [Address] names a device
// and knows its subjects. What travels:
//
//   - Messages ([Conn.Publish], [Subscribe]): protobuf, at most once, each with its type in a header. A message larger
//     than 1 MiB, or than the server's max_payload, is split and joined invisibly; parts that are not followed by the
//     next within 5 s are forgotten, and what waits to be joined is bounded for each sender and for the connection.
//     What does not fit its subscription's type, or cannot be decoded, is counted and ignored.
//   - Messages dealt to a group ([Join]): each goes to one member. Those that must not be lost when a member dies are
//     kept by the server ([Conn.Keep], JetStream), in memory and bounded, until a member has confirmed them.
//   - Calls ([Conn.Client], [Conn.Serve]): the unary methods of a gRPC service over request and reply. The generated
//     gRPC client works unchanged, and errors keep their code. No device at the address is codes.Unavailable.
//   - Holds ([Conn.Hold]): promises to read a stream, renewed by themselves; the device publishes while it is held.
//   - Discovery ([Conn.Devices]): every service is registered with NATS micro.
//
// # What may be lost
//
// While the server is away Publish fails and nothing is kept for later: a late picture is worthless and a late command
// is dangerous. A call under way when the server goes fails with Unavailable; whether the device did it is not known.
// A subscription loses what its [stream.Policy] says. A member of a group that is frozen, or whose network is gone,
// keeps getting its share until the server misses the answers to its pings: after 4 to 5 s with package embedded,
// after up to 8 minutes with the settings that nats-server has by default (ping_interval, ping_max). Losses are
// counted in the metrics waldo_bus_*.
//
// # Concurrency and shutdown
//
// All methods are safe for concurrent use. Messages of one publisher on one subject keep their order. Close of the
// owner ends every subscription, hold and service of the connection, and returns when their goroutines have ended.
package bus
