// Package foreign reads the pictures and the sound that other programs have recorded: what Foxglove calls
// CompressedVideo, CompressedImage and CompressedAudio.
//
// A [Converter] makes messages of Waldo of those of one channel. It goes by the schema of the file, for programs number
// the fields in their own ways: fields are found by their names and types. What a message cannot say is made up: one
// epoch, a sequence without gaps, and sizes of pictures that are not known, which whoever shows them finds in the data.
//
// The data is not looked at, except for where decoding can begin and how long a packet lasts. A message that is
// damaged, or whose encoding Waldo does not know, is refused with an error; nothing panics.
//
// # Concurrency and shutdown
//
// A Converter belongs to one goroutine. Nothing starts, and nothing needs closing.
package foreign
