// Package media defines what producers and readers of pictures share: the names of formats, the planar
// picture that converters and encoders work on, and the rule by which a reader of encoded video gets
// into step with a stream, and back into step after a loss.
//
// Everything here is pure Go and plain data. Nothing is safe for concurrent use unless it says so,
// nothing starts a goroutine, and nothing needs closing.
package media
