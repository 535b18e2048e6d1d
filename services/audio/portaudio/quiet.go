package portaudio

// #cgo LDFLAGS: -ldl
// #include "quiet.h"
import "C"

// quiet keeps JACK and ALSA from writing a dozen lines whenever cards are looked for, as they are once a second while one is away. What is wrong is
// in the errors of PortAudio.
func quiet() { C.waldo_quiet() }
