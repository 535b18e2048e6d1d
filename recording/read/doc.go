// Package read reads recordings: Waldo's and those of other programs, whole, cut, compressed or damaged.
//
// # Concepts
//
// [Open] finds out what a [File] holds (package index). [File.Messages] gives its messages by log time, those with the
// same time in the order of the file. [File.KeyFrame] finds where decoding has to begin for what is to be shown at a
// time.
//
// # Damage
//
// A chunk that cannot be read is left out, and [Messages.Damage] tells of it; the messages of all others are given.
// Where neither the index nor a whole chunk defines a channel, what is left of its definition in damaged ones is
// believed. How much memory is used is bounded: by one chunk where chunks follow one another, and by [MaxOverlap] where
// they overlap.
//
// # Concurrency and shutdown
//
// A File may be used concurrently, and closed once. Messages are for one reader.
package read
