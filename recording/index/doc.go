// Package index finds out what an MCAP file holds and where: from the index at its end, or, if that is missing, damaged
// or not enough, by going through the file.
//
// Nothing in a file is believed: every offset and length is checked against the size of the file before anything is
// read or allocated, and what cannot be read ends the data (see [Index.Damage]).
//
// An Index is plain data, which may be read concurrently; nothing needs closing.
package index
