// Package mjpeg receives pictures from cameras that send JPEGs over HTTP: one answer that never ends and holds a
// picture per part (multipart/x-mixed-replace), or single pictures that are asked for again and again.
//
// Cameras get the multipart format wrong in most ways there are, and the reader of the standard library gives a part
// only when the next one begins, which is one picture late. So the reader here looks for the pictures themselves: it
// goes from marker to marker, and gives a picture as soon as its last byte has come. A Content-Length is used where
// it is true.
//
// JPEG over HTTP carries no clock: pictures are [feed.Picture.Untimed].
//
// A [Conn] is one TCP connection (one after the other, for single pictures), and starts no goroutine.
package mjpeg
