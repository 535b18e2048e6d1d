// Package permissions says which subjects each process and each token of a robot may use on the bus.
//
// # Concepts
//
// A [Rule] is one subject that may be published or subscribed, with the reason. [Device], [Gateway], [Launcher] and
// [Role] return the rules of a holder; [Permissions] are rules in the form in which a NATS server takes them, and
// [Keys] the holders of all keys of a robot with their permissions. docs/bus.md has all of them as a table that is made
// from this code.
//
// Two things make answers safe. Everybody receives them under a prefix of their own ([bus.InboxPrefix]), which nobody
// else may subscribe. And nobody may publish there: a holder that is asked may answer what it was asked, for as long as
// a call lasts, and nothing else (Permissions.Answer).
//
// # What a device may do
//
// A device of a kind that belongs to Waldo may use its own subjects, and read of others what its kind needs as
// robot.yaml says: an actuator the captures of the camera that its driver must see, a simulated camera the reports of
// the board that it follows. The key `may:` of a device adds to that. A device of a kind of one's own without that key
// is not confined, because nobody has said yet what it needs ([Confined]): it connects with the token, as it always
// did.
//
// Everything here is pure, and safe for concurrent use.
package permissions
