// Package preprocess puts a command of the user between a camera and everything that is made of its pictures: `python
// blur.py`, or `ffmpeg … -vf boxblur …`. What goes wrong with the command costs pictures their change, never the
// stream.
//
// # What the command does
//
// It is run by /bin/sh, in the folder of robot.yaml, when the camera is opened. On its standard input it gets raw
// pictures, BGR24, upright, without anything between them: FRAME_WIDTH x FRAME_HEIGHT x 3 bytes each. For each it
// writes one of the same size to its standard output, in the same order. FRAME_WIDTH, FRAME_HEIGHT and FRAME_RATE are
// in its environment; if pictures change size, the command is started again. So ffmpeg's rawvideo works as it is, and
// there is nothing to parse. It may hold back up to [maxHeld] pictures, as filters do; viewers then see pictures that
// much later. Each line that it writes to its standard error is logged. It ends at the end of its input.
//
// A picture of another size cannot be told from the next picture, so it is noticed by its consequences: too many bytes,
// or too few. The command is then started again, and the error says so.
//
// # What it may cost
//
// A picture waits up to [patience] for its change. One that has waited longer goes on as it was, and so do all others
// until the command is found to be fast enough again; one that comes while the command is busy with others goes on as
// it was, too. Their order is kept. A command that ends, writes too much, or owes a picture for [hangAfter] is killed
// with its process group and started again, after 250 ms at first and up to 30 s. All pictures are counted, changed
// or not.
//
// Pictures pass through the command once for all readers, and only while somebody watches: otherwise it waits for
// input. The environment variables of Waldo, some of which hold secrets, are not passed on. It does not outlast the
// camera, even one that is killed: a guard in its process group waits for the end of the camera's pipe.
//
// # Concurrency and shutdown
//
// A [Hook] is safe for concurrent use. A [Source] keeps the contract of package source; its Close waits for the command
// and all goroutines.
package preprocess
