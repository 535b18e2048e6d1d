// Package tokens keeps the tokens of a robot: who may use it, in which role, and until when.
//
// A token is waldo_<id>_<secret>. The [Store] is a file, access.json in the folder of the robot's state, which holds
// the SHA-256 of each secret and never the secret: 130 random bits cannot be guessed from it. `waldo token` changes the
// file ([Create], [Revoke]) and every process of the robot that asks for tokens reads it: changes count from the next
// [Store.Check] on, and [Store.Watch] tells when live sessions have to ask again.
//
// The file fails closed. While it cannot be read, or is not what this package writes, nobody gets in by it, and the
// error says what is wrong with it. A token is checked against the clock of the robot: on one whose clock is behind,
// tokens live longer.
//
// An [Authority] is what a listener asks. It knows the single shared token (WALDO_TOKEN) too, whose owner is an admin.
// While there is neither a shared token nor any in the store, everybody is one; such a listener is on loopback, see
// [Authority.Address]. With the first token in the store everybody has to present one, at once.
//
// Everything here is safe for concurrent use, and starts no goroutines.
package tokens
