// Package video is the root of the module that services with cameras share. It contains no code, only this page.
//
// A service that delivers pictures, whatever they come from, is a [source.Source] and the kind of device:
//
//	open := func(kit *device.Kit, c Config) (device.Driver, error) {
//		return camera.New(kit, camera.Config{Codecs: standard.Codecs()}, func(ctx context.Context) (source.Source, error) {
//			return dial(ctx, c.URL)
//		}), nil
//	}
//	device.Main(device.Kind[Config]{Name: "rtsp", Version: version.Version, New: open})
//
// What it gets for that: CameraService over gRPC and the bus, the streams `video`, `video-vp8` and
// `video-jpeg`, which are encoded only while somebody holds them, any number of readers in any format from one capture
// and one encode per format, JPEG snapshots, limits on what readers may request, metrics, and the state AWAY until open
// succeeds again. The test of this package does it with a driver of under 50 lines.
//
// # The driver
//
// Open connects to the hardware and reports its format as [source.Info]; the kit calls it again, at growing intervals,
// when it fails or when the source has gone away. Capture delivers frames while somebody reads; [source.Frame] has each
// in the hardware's own form: H.264 access units in Annex B form with Key set at key frames, whole JPEGs, or raw
// pictures. Lost is the number of frames that were lost on the way. A network source that can report a broken
// connection while nobody reads implements [source.Watcher], and one with settings implements [source.Controller].
// Package sourcetest checks a driver.
//
// # With and without C
//
// Frames that already have the wanted media type, size and orientation pass through untouched, and nothing decodes them
// until somebody requests another format. Everything else is done by the codecs that the service injects:
//
//   - [codec.Set] with no codecs: pictures only pass through, readers who request another format get INVALID_ARGUMENT
//     with what there is, and nothing links C. Such a service builds with CGO_ENABLED=0.
//   - [standard.Codecs]: H.264, VP8, JPEG and raw pictures, scaled and turned. This needs cgo and the C libraries.
//   - [network.Codecs]: that, and H.264 with B frames and more than 8 bit, H.265 and MPEG-4 are decoded. This also
//     needs libavcodec, with which the program is under the GPL as a whole.
//
// A source whose media type has no decoder in the set passes through as well. A new media type is a line in package
// media, and a file in package standard if it is to be encoded or decoded.
//
// # The packages
//
//   - [camera]: the driver of package device that all such services run
//   - [service]: CameraService
//   - [preprocess]: a command that changes pictures before they are encoded
//   - [shared]: raw pictures in memory that readers on the same machine share
//   - [pipeline]: one capture, one encode per format, any number of readers
//   - [source], sourcetest, [testsource]: the contract of a driver, its conformance suite, and the test card
//   - [codec], codectest, [standard], [network]: the contract of a codec, its conformance suite, and the sets of codecs
//   - openh264, vpx, turbojpeg, yuv, libav: the C libraries
//   - mjpeg: whole pictures of Motion JPEG
//
// This module does not handle sound: module sound does. services/rtsp-ingest uses both.
package video
