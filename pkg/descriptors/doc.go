// Package descriptors lets programs use protobuf definitions that they were not built with.
//
// A device collects the definitions of its services and streams with [Describe]. A reader makes a [Set] of them with
// [New] and then decodes, prints and fills messages of these types: [Set.Decode], [Set.JSON], [Set.Parse].
//
// # Definitions from outside
//
// Definitions come from other processes, so [New] checks them before it builds anything: how many there are, how deep
// they nest, how long their names are, which editions they use, and that nothing takes the name of a type for which
// the JSON of protobuf has a form of its own, such as google.protobuf.Timestamp. A set that breaks a rule is refused
// with an error that names the file.
//
// Each Set is a registry of its own: two devices may define the same name differently, and neither affects the types
// of the program. A Set does not change, and is safe for concurrent use.
package descriptors
