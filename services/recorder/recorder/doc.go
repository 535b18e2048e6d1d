// Package recorder is the device kind "recorder": it records what the devices of its robot produce and are sent, as it
// is on the bus, into a folder of MCAP files.
//
// # When it records
//
// What is wanted (a [wish]) comes from calls, from robot.yaml (`when: always`), from who drives (`when: driven`), and
// from e-stops. It outlasts the process: a [note] in the folder, renewed while something is wanted, has the next
// process go on within a minute, with the same recording; see [recorder.resume]. [recorder.settle] brings what is done
// in line with what is wanted: at least once a second, and at once when the wish changes or a file fails.
//
// What cannot be done, because the disk is full or the folder cannot be written to, ends the run of the driver with the
// reason, so the device is AWAY, and the state is FAILED. It is tried again after 5 s at first, then more seldom, up to
// a minute. Calls work meanwhile, so that recordings can be deleted.
//
// # What it reads
//
// Package tap hands messages over, each stream on a goroutine of its own. While something is recorded, or a pre-roll is
// kept, all chosen streams are open (and held); otherwise only the states of actuators, if they decide. A stream of
// pictures that had no key frame for some time is asked for one; see `keyFrames`.
//
// # Concurrency and shutdown
//
// recorder.mu guards what messages need: the recording, or the pre-roll, and what is remembered of drives. It is never
// held while the disk is waited for. recorder.doing is held while a recording is begun or ended, and is taken first.
// The goroutines belong to one run of the driver, but for those of open streams, which belong to ears.
package recorder
