// Package clock finds out when the pictures and the sound of a camera elsewhere were captured, on the clock of this
// machine: those of a network camera, or of a peer.
//
// A camera stamps its media with a clock of its own: it starts anywhere, runs a little too fast or too slow, jumps,
// and may be plainly wrong. All that is certain is when something arrived, and that it was captured before. An
// [Estimator] follows how much later than its stamp each picture arrives. The earliest of the last 8 s had nothing to
// wait for, so the difference that they show is the offset between the clocks, plus the time that even the fastest
// picture needs, which nobody can see from here (key latency: measure it with a picture of a clock). A picture that
// comes later than that was delayed, and its age says so.
//
// # What is followed, and what is not
//
//   - Drift: up to 500 ppm, while the pictures come within 20 ms of the earliest.
//   - Delay: what grows faster than that is a queue that fills. The offset stays, so the age grows; see
//     [Estimator.Delay] and [Estimator.Late].
//   - Jumps: a picture whose stamp is more than a second behind the one before, or that would have come 50 ms before
//     it was captured (250 ms in the first second, because of B-frames), is timed by its arrival. If three within 4 s agree, the camera has a new timeline.
//   - Wrong rates: if the stamps run at less than 0.98 or more than 1.02 of the true rate from the beginning, all is
//     timed by arrival until the rate has been right for 30 s. A rate that was right and becomes too slow is a delay.
//   - Sender reports: three in a row that agree within 20 ms, and that lie 0 to 2 s before their arrival, prove that
//     the camera's wall clock is right. Then it is used, and the stamp says [RTCP].
//   - Sound and pictures: two reports of each that agree tie them together, even if the camera's wall clock is wrong.
//     Then what arrives earlier bounds the other, too.
//
// A capture time is never later than the arrival. Unless the timeline is a new one, it moves against the stamps (or,
// when they are useless, against the arrivals) by at most 20 ms from one picture to the next.
//
// # Concurrency
//
// An Estimator is a pure function of what it is given: it never asks for the time. It belongs to one connection and
// is used from one goroutine.
package clock
