// Package picture makes frames that anybody can decode of the pictures that network cameras and peers send.
//
// Both are called cameras here. Cameras announce parameter sets that are wrong, send them once or never, begin in the
// middle of a group of pictures, and change size while they stream. A [Stream] mends what can be mended:
//
//   - Every key frame begins with the newest parameter sets it needs. Those in the stream win over those that
//     were announced. Nothing comes out before the first key frame whose sets are there.
//   - A frame of VP8 is passed on as it is; it has no parameter sets, and its key frames name the size.
//   - A picture of MPEG-4 part 2 has its configuration for a parameter set.
//   - After a loss nothing comes out until the next key frame; the next frame counts what was left out. A key
//     frame that is whole is the next one even if something before it was lost.
//   - Where the camera sends no key frames, decoding begins at a recovery point, or after 5 s at a picture that refers
//     to no other. Browsers cannot do that: such pictures say Recode.
//   - Width and height come from the parameter sets, cropping applied. The format changes only at key frames,
//     and only if the parsed size or rate does.
//
// A Stream also says whether a browser can show the stream as it is, and how far apart key frames are; see
// [State]. Pictures that are not shown in the order in which they are sent (B-frames) are what browsers cannot
// do. Parameter sets tell, or the first picture that goes back: by its picture order count, or by its time if
// there is no such count. That picture already says Recode.
//
// Key frames are as far apart as they were captured. A warning needs three intervals in a row that are too long, or one
// as long as three: a single one may be chance.
//
// VideoFormat does not name a profile: a reader that needs it finds the parameter set in a key frame.
//
// # Concurrency and shutdown
//
// A Stream belongs to one goroutine, starts none, and needs no closing. Its frames are its reader's own.
package picture
