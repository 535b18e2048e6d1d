// Package attest finds out whether a robot's audit logs and recordings are what they were.
//
// Each log is a chain of hashes (package audit). The recorder writes the SHA-256 of each file of a recording to its log
// as soon as the file is complete, so what the logs attest includes the recordings. And the state of each device, which
// is recorded, has the head of its log: so each recording attests that the logs had their lines when it was made, and
// an end that was cut off shows. Who may write to both can alter both; heads that were kept elsewhere show that, too.
//
// [Check] reads everything once. It starts no goroutine.
package attest
