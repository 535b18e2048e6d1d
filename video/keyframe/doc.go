// Package keyframe asks a camera for key frames that is not on this machine: a network camera, or a peer that sends.
//
// Cameras can be asked in several ways (RTCP PLI and FIR, ONVIF SetSynchronizationPoint), and most obey none or one.
// So an [Asker] finds out: it asks by each way once and measures how long the next key frame takes. From then on it
// asks by the fastest that works. A way that fails [failures] times in a row does not work any more.
//
// # What counts as obeying
//
// A key frame within [Limit] of asking, unless it was due anyway. To tell, the Asker asks right after a key frame, once
// it has seen how far apart they are; if they are further apart than [patience], it asks without having seen that. A
// measurement that is wrong all the same shows when the way fails later.
//
// # What the camera is spared
//
// However many viewers want a key frame, the camera is asked at most once per [Least]; a wish that comes too soon
// waits, and is forgotten if a key frame comes meanwhile. Ways that do not work are tried again only for
// [Asker.Request], all at once, since somebody waits for the answer; [Asker.Want], for those who lost a picture, leaves
// them alone. A measurement is not repeated with the next connection, and a way at which the connection ends is
// measured [breaks] times at most.
//
// # Concurrency and shutdown
//
// All methods may be called from any goroutine, except that one Run runs at a time. Run owns all goroutines, and
// returns when they have ended. Key and Want never block.
package keyframe
