package replay

import (
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/recording/foreign"
	"github.com/waldo-robot/waldo/services/replay/film"
	"github.com/waldo-robot/waldo/services/replay/hearing"
)

// warnEvery is how far apart warnings are about messages that are left out.
const warnEvery = 10 * time.Second

// newForeign makes what serves the pictures or the sound that another program has recorded.
func (d *driver) newForeign() error {
	for _, c := range d.found.Channels {
		converter, err := foreign.New(c.Schema)
		if err != nil {
			return robot.BadField("files", "channel %.128q: %v", c.Topic, err)
		}
		d.foreign[c] = converter
	}
	if d.foreign[d.found.Channels[0]].Kind() == foreign.Audio {
		d.feed(hearing.New(d.kit, hearing.Config{}), d.found.Channels)
		return nil
	}
	d.feed(film.New(d.kit, film.Config{Foreign: true, Behind: d.found.behind(d.found.Channels[0])}), d.found.Channels)
	return nil
}

// leave tells of a message that is left out.
func (d *driver) leave(why error) {
	if time.Since(d.warned) > warnEvery {
		d.warned = time.Now()
		d.kit.Log.Warn("a recorded message is left out", "error", why)
	}
}
