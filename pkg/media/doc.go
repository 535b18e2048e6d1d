// Package media holds what every producer and reader of pictures agrees on: the names of formats, the planar picture that
// converters and encoders work on, and the rule by which a reader of encoded video gets in and back into step.
//
// Everything here is pure Go and plain data. Nothing is safe for concurrent use unless it says so, nothing starts a
// goroutine, and nothing needs closing.
package media
