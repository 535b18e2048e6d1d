package portaudio

// #cgo LDFLAGS: -ldl
// #include "alsa.h"
import "C"

import (
	"fmt"
	"os"

	"github.com/waldo-robot/waldo/pkg/device"
)

// prepareALSA keeps JACK and ALSA from writing a dozen lines whenever cards are looked for, as they are once a second
// while one is away; what is wrong is in the errors of PortAudio. It fails where PortAudio would end the process: it
// takes for granted that ALSA is configured.
func prepareALSA() error {
	C.waldo_quiet()
	if C.waldo_alsa_configured() != 0 {
		return nil
	}
	where := "install libasound2-data"
	if path := os.Getenv("ALSA_CONFIG_PATH"); path != "" {
		where = fmt.Sprintf("ALSA_CONFIG_PATH is %q: mend that file, or unset it", path)
	}
	return fmt.Errorf("%w: ALSA is not configured, nothing is called default: %s", device.ErrAway, where)
}
