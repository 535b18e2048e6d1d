// Package film makes a camera of recorded frames: CameraService and the streams of a camera, whatever a player does.
//
// A [Camera] is given the messages of one recorded channel, in the order of the recording, by one goroutine. H.264
// passes to viewers as it was recorded, byte for byte; everything else that a camera offers (snapshots, JPEG, VP8,
// small streams, sizes of the reader's choice) is made by package video/camera, as it is of a network camera's
// pictures. H.265, VP8 and JPEG that were recorded pass to those who take them. Frames keep the time at which they were
// captured; their replay_time is when the replay came to them.
//
// # Jumps
//
// After [Camera.Jump] the frames that lead to a place come as fast as they can be read ([Camera.Lead]), and are shown
// as one when the place is reached ([Camera.Arrived]): who decodes sees the picture at the place alone, and no queue
// loses a part of what it depends on. A new epoch begins there, and where the recorded camera had begun one. What leads
// to a place may have up to 32 MiB; where that is not enough, the picture comes back at the next key frame.
//
// While nothing comes, because the player pauses or the recording has a gap, the picture stays, and is there for
// whoever begins to watch. A key frame can then be asked for: it begins another epoch with the same picture. While the
// replay goes on, key frames come where the recording has them.
//
// # Speed
//
// Viewers get every frame as long as there are at most [MaxRate] a second. Beyond that, as at ten times the speed, they
// get the key frames only, of pictures that depend on no other as many as [MaxRate].
//
// # Sound
//
// Browsers keep sound for a while before it is heard, and show pictures at once. While the replay goes as fast as was
// recorded, pictures therefore come as much after their turn as [Config] says. After a jump the picture at the place
// comes at once, and so does everything at other speeds, at which nothing is heard.
//
// # Bad input
//
// A message that is no frame, or one that cannot be decoded, is left out, counted and logged, and with it what depends
// on it: the picture comes back at the next key frame. A recording may begin in the middle of a group, change the size
// of its pictures, and have B-frames, which are encoded again for viewers.
//
// # Concurrency and shutdown
//
// Jump, Lead, Arrived, Message and Pace are called by one goroutine, and never wait. Up to 64 frames wait for the
// pipeline; if more come the oldest are lost, up to a key frame. [Camera.Run] owns everything that runs.
package film
