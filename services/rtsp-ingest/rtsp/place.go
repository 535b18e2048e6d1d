package rtsp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
)

// place is the file in which the id of a session outlives its process, so that the next one can adopt it. Its time of
// modification is when the camera last heard of us. Without it everything works, so errors are not told: at worst the
// camera has no room for a minute.
type place struct{ file string } // "" for none

// held is what the file holds.
type held struct {
	Session string `json:"session"`
	Timeout int64  `json:"timeout_seconds"`
}

const maxPlace = 4 << 10 // bytes of the file

// Kinds of places.
const (
	ofStream = "session"
	ofVoice  = "voice"
)

// newPlace is the place of a stream or of its back channel in a directory, "" for none. Its name tells nothing of the
// address.
func newPlace(directory, kind string, to address.Address) place {
	if directory == "" {
		return place{}
	}
	sum := sha256.Sum256([]byte(to.User + "@" + to.URL()))
	return place{filepath.Join(directory, kind+"-"+hex.EncodeToString(sum[:8])+".json")}
}

// old returns the id of a session that the camera may still keep, "" for none.
func (p place) old(now time.Time) string {
	f, err := os.Open(p.file)
	if p.file == "" || err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	data, err := io.ReadAll(io.LimitReader(f, maxPlace))
	var h held
	if err != nil || json.Unmarshal(data, &h) != nil {
		return ""
	}
	id, _ := parseSession(h.Session)
	if age := now.Sub(info.ModTime()); age > time.Duration(min(h.Timeout, 1<<16))*time.Second+slack || !isToken(id) {
		return ""
	}
	return id
}

// slack is how much longer cameras keep a session than they say: live555 waits 65 s instead of 60.
const slack = 10 * time.Second

// isToken tells whether a text from the file can stand in a field.
func isToken(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] >= 0x7f {
			return false
		}
	}
	return id != ""
}

// hold notes a session.
func (p place) hold(id string, timeout time.Duration) {
	if p.file == "" || !isToken(id) {
		return
	}
	data, err := json.Marshal(held{id, int64(timeout / time.Second)})
	if err != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(p.file), ".session-*") // 0600
	if err != nil {
		return
	}
	_, err = f.Write(data)
	if closed := f.Close(); err != nil || closed != nil || os.Rename(f.Name(), p.file) != nil {
		_ = os.Remove(f.Name()) // it helps nobody
	}
}

// touch notes that the camera has heard of us.
func (p place) touch(now time.Time) {
	if p.file != "" {
		_ = os.Chtimes(p.file, now, now) // see place
	}
}

// free notes that there is no session any more.
func (p place) free() {
	if p.file != "" {
		_ = os.Remove(p.file) // see place
	}
}
