package fakecam

import (
	"bytes"
	"slices"
)

// JPEGBehaviour is one oddity of cameras that send Motion JPEG over HTTP.
type JPEGBehaviour struct {
	Name   string // of a test and of the program's --behave
	Seen   string // what happens
	Source string // where it was seen
	Config JPEGConfig
}

// JPEGBehaviours returns all that are known. Of each, a good client shows pictures.
func JPEGBehaviours() []JPEGBehaviour {
	login := func(challenges ...string) JPEGConfig {
		return JPEGConfig{Login: Login{User: "admin", Password: "secret", Challenges: challenges}}
	}
	return []JPEGBehaviour{
		{"http-dashes-in-header", "the header's boundary has the dashes", "multipart-stream PR#2: Sony SNC-EB640",
			JPEGConfig{Boundary: "--frame", Delimiter: "%b"}},
		{"http-dashes-missing", "parts begin with the boundary without dashes", "py-mjpeg PR#2: Panasonic HE40",
			JPEGConfig{Delimiter: "%b"}},
		{"http-boundary-signs", "signs in a boundary without quotes", "py-mjpeg", JPEGConfig{Boundary: "a:b/c"}},
		{"http-boundary-quoted", "the boundary in quotes", "RFC 2046",
			JPEGConfig{ContentType: `multipart/x-mixed-replace;boundary="%b"`}},
		{"http-no-boundary", "no boundary in the header", "cheap cameras",
			JPEGConfig{ContentType: "multipart/x-mixed-replace"}},
		{"http-no-content-type", "no Content-Type in the header", "cheap cameras", JPEGConfig{ContentType: "-"}},
		{"http-no-length", "parts without Content-Length", "MissionPlanner#3604", JPEGConfig{NoLength: true}},
		{"http-no-type", "parts without Content-Type", "cheap cameras", JPEGConfig{NoType: true}},
		{"http-no-headers", "parts without headers", "cheap cameras", JPEGConfig{NoType: true, NoLength: true}},
		{"http-no-first-boundary", "no boundary before the first part", "Tasmota#12376; esp32cam#67",
			JPEGConfig{NoFirst: true}},
		{"http-closed", "the closing boundary after each part", "go2rtc#1258: Foscam G2", JPEGConfig{Closed: true}},
		{"http-lf", "lines end with LF", "cheap cameras", JPEGConfig{EOL: "\n"}},
		{"http-marker-inside", "a segment holds the bytes that end a picture", "thumbnails in EXIF",
			JPEGConfig{NoLength: true, Edit: withComment}},
		{"http-no-tables", "the usual Huffman tables are left out", "AVI cameras", JPEGConfig{Edit: withoutTables}},
		{"http-one-viewer", "a second viewer gets 503", "esp32cam", JPEGConfig{Viewers: 1}},
		{"http-digest", "Digest with qop", "many", login()},
		{"http-digest-sha-256", "Digest with SHA-256", "Hikvision",
			login(`Digest realm="fake", nonce="%n", algorithm=SHA-256, qop="auth"`)},
		{"http-basic", "Basic", "many", login(`Basic realm="fake"`)},
		{"http-etag", "single pictures with ETag", "Axis", JPEGConfig{ETag: true}},
	}
}

// JPEGBehaviourNamed returns one of them.
func JPEGBehaviourNamed(name string) (JPEGBehaviour, bool) {
	all := JPEGBehaviours()
	i := slices.IndexFunc(all, func(b JPEGBehaviour) bool { return b.Name == name })
	if i < 0 {
		return JPEGBehaviour{}, false
	}
	return all[i], true
}

// withComment puts a comment with an end of image, and a start, behind the start of a picture.
func withComment(jpeg []byte) []byte {
	comment := []byte{0xff, 0xfe, 0, 8, 0xff, 0xd9, 0xff, 0xd8, 0xff, 0xd9}
	return slices.Concat(jpeg[:2], comment, jpeg[2:])
}

// withoutTables cuts the segments of Huffman tables out.
func withoutTables(jpeg []byte) []byte {
	for {
		at := bytes.Index(jpeg, []byte{0xff, 0xc4})
		if at < 0 {
			return jpeg
		}
		n := int(jpeg[at+2])<<8 | int(jpeg[at+3])
		jpeg = slices.Concat(jpeg[:at], jpeg[at+2+n:])
	}
}
