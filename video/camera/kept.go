package camera

import (
	"encoding/json"

	"github.com/waldo-robot/waldo/video/pipeline"
)

// keep is what this process leaves to one that takes over: what callers have changed.
func (d *Driver) keep() []byte {
	all := map[string]pipeline.Kept{}
	for _, s := range d.streams {
		all[s.Name] = d.pipeline.Kept(s.Content)
	}
	data, err := json.Marshal(all)
	if err != nil {
		return nil // callers change it again
	}
	return data
}

// take takes what another process has left.
func (d *Driver) take(data []byte) {
	var all map[string]pipeline.Kept
	if err := json.Unmarshal(data, &all); err != nil {
		d.kit.Log.Warn("what callers changed in the process before this one is lost", "error", err)
		return
	}
	for _, s := range d.streams {
		if kept, known := all[s.Name]; known {
			d.pipeline.Keep(s.Content, kept)
		}
	}
}
