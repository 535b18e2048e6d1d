// Package linktest puts a rough network between a robot and its drivers and viewers, for tests. It runs in the process
// of the test and needs neither the kernel's netem nor root.
//
// A [Line] is one direction. What it does to packets is its [Shape]: a rate over time behind a queue that drops what
// does not fit (or a policer), delay, jitter, stalls, losses alone and in bursts, packets that are overtaken or arrive
// twice. A [Link] is a line in each direction, with the shapes of a [Profile]: [Profiles] are networks as people have
// them.
//
// Packets come to a line by [Line.Send], from wherever the test has them. [Proxy] is a port of UDP in front of a port
// of the robot; package e2e/harness/internet has links of all IP packets between network namespaces, so that what a
// browser does over TCP meets the same network.
//
// # Order of things
//
// A packet first waits in the queue, or is dropped if the queue is full. It leaves when it has used the link for as
// long as the rate demands and no stall holds it up. Then it may be lost; otherwise it arrives after delay and jitter.
// So losses cost capacity, as on a radio. Sizes include the IP and UDP headers.
//
// # The same again
//
// Everything that is random follows from a seed, with a sequence of its own for each decision: the nth packet is lost,
// or overtaken, in every run, whatever its time and size; stalls come at the same times. What a run cannot repeat is
// when its packets are sent.
//
// # Precision
//
// When a packet leaves and arrives is computed from when it came and from those before it, not from when the machine
// woke the line. So a late timer delays a packet, but neither those after it nor the rate. The statistics tell by how
// much packets were late ([Stats.Late]); a measurement must check that.
//
// # Concurrency and shutdown
//
// All types are safe for concurrent use. A line has one goroutine, which delivers in order and never spins. Close ends
// it, drops what is on the way, and waits.
package linktest
