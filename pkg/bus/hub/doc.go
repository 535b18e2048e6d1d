// Package hub is the NATS server at which the robots of a fleet meet: what `waldo hub` runs, and the configuration of a
// nats-server that does the same.
//
// # Accounts
//
// Every robot has an account of its own, which has its name: what one robot says, no other hears. A robot connects
// twice with the same key: as a leaf node, which carries calls, states and messages, and as a client (services/uplink),
// which carries what its devices stream while somebody at the hub reads it. So a full link delays pictures and not
// commands. An account takes one leaf node: a second robot of the same name is refused.
//
// Gateways are clients of the account [Cloud]. It imports the subjects of every robot as they are, so a gateway calls
// and reads each robot as if it were on its bus; answers may come in parts. [Ask] is the one subject that gateways send
// and all robots hear.
//
// # One configuration
//
// [Config.Text] writes the configuration of nats-server, 2.12 or later, and [Start] runs the same text in this process.
//
// # Concurrency and shutdown
//
// A [Server] belongs to one goroutine: nothing else may be called while [Server.Reload] or [Server.Close] runs. Close
// disconnects robots and gateways, which dial again by themselves, and returns when the server has ended. The hub
// stores nothing, so another one can take its place at once.
package hub
