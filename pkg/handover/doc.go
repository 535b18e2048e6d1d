// Package handover carries what the two processes of a device say to each other while one takes over from the other.
//
// A launcher gives each process that it starts one end of a socket, the channel ([ChannelFD]). To upgrade the process
// it makes another pair of sockets, sends one end through the channel ([Offer]) and starts the successor with the other
// one ([PredecessorFD]). Nobody else has either end, so no name, path or secret is needed, and who loses the other side
// knows that the process at it has ended, however that happened. A process without a launcher makes the pair itself.
//
// # The conversation
//
// The successor speaks, the predecessor answers, one question at a time:
//
//	successor            predecessor
//	Hello                Welcome   its listening sockets, its holds, what it publishes now; or Refused
//	Take, a stream       Taken     it publishes nothing on that stream any more, and all that it did has reached the bus
//	Serve                Served    it answers no calls on the bus any more; its holds as they are now
//	Done                           it ends
//
// If the hardware can be open only once, the successor sends Yield in place of all Take and Serve, and the predecessor
// answers Yielded when it has closed the hardware and left the bus. A successor that gives up sends Failed. Until Done,
// a predecessor that loses the successor takes everything back; a successor that loses the predecessor has taken over,
// unless the last word of that was Refused: then it goes on, and the successor ends. Refused is the answer to any
// question that a predecessor does not know, so a program may meet an older one.
//
// Messages are JSON in packets of a local socket (SOCK_SEQPACKET), at most [MaxMessage] bytes each.
package handover
