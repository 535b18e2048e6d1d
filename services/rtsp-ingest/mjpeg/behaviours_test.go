package mjpeg

import (
	"bytes"
	"image/jpeg"
	"testing"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

// TestBehaviours: of every camera that is known, pictures come that can be decoded, and none is lost.
func TestBehaviours(t *testing.T) {
	for _, b := range fakecam.JPEGBehaviours() {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			b.Config.FPS = 50
			camera := fakecam.StartJPEG(t, b.Config)
			url := camera.URL()
			if b.Config.ETag {
				url = camera.PictureURL()
			}
			c := config(t, url)
			c.Address.User, c.Address.Password = b.Config.Login.User, address.Secret(b.Config.Login.Password)
			conn, err := Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range collect(t, conn, 5) {
				if _, err := jpeg.Decode(bytes.NewReader(p.Data[0])); err != nil || p.Damaged {
					t.Errorf("picture %d: damaged %v, %v", i, p.Damaged, err)
				}
			}
		})
	}
}
