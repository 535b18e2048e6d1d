// Package answers keeps in a recording what devices answer when they are asked about themselves, so that a replay can
// answer the same: which port a board is at, which buttons a pad has.
//
// # What is asked
//
// [Ask] calls the methods of a device that do nothing but tell ([roles.Tells]), each with an empty request. Nothing
// else is ever called. What a device answers with an error is left out, and Ask says whether another time may be
// better.
//
// # What is kept
//
// A [Sheet] has the answers of one life of a device in the JSON mapping of protobuf. It stands in a recording as an
// attachment, [Name], beside the definitions by which the answers can be read. A device that restarts while it is
// recorded is asked again, and has another Sheet there if it answers otherwise; [Sheets.At] is what it answered at a
// place.
//
// Secrets are taken out before anything is kept, by the rules for robot.yaml (package robot): a field that is called
// like one is left out, and users, passwords and parameters in addresses are hidden.
//
// # Bounds
//
// A device is asked at most [MaxAnswers] methods, one after the other, for 2 s each and 10 s in all. An answer has at
// most 256 KiB, and a Sheet [MaxBytes].
//
// # Concurrency and shutdown
//
// Nothing here starts a goroutine. Sheets are not changed once they are made.
package answers
