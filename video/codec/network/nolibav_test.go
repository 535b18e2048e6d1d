//go:build nolibav

package network

import (
	"errors"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/media"
)

func TestTheErrorNamesTheRemedy(t *testing.T) {
	for _, mediaType := range []string{media.H265, media.MPEG4} {
		_, err := Codecs().NewDecoder(mediaType)
		if !errors.Is(err, media.ErrFormat) || !strings.Contains(err.Error(), "set the camera to H.264") {
			t.Errorf("%s: %v", mediaType, err)
		}
	}
}
