package fakecam

import (
	"bytes"
	"slices"
	"strings"
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
		{"http-icy", "the answer is by another protocol", "Shoutcast", headed("HTTP/1.1", "ICY")},
		{"http-1.0", "HTTP/1.0, and no text behind the status", "esp32cam", headed("HTTP/1.1 200 OK", "HTTP/1.0 200")},
		{"http-headless", "no head at all", "HTTP/0.9", JPEGConfig{Head: func(string) string { return "" }}},
		{"http-odd-head", "a head with lines that are no fields", "cheap cameras", headed("Content-Type",
			"no field\r\nodd name: 1\r\n: nothing\r\nContent-Length: x\r\nContent-Type")},
		{"http-length", "the stream says that it ends soon", "cheap cameras", headed("Content-Type",
			"Content-Length: 1000\r\nContent-Type")},
		{"http-length-negative", "the stream has a length of -1", "cheap cameras", headed("Content-Type",
			"Content-Length: -1\r\nContent-Type")},
		{"http-chunked", "the stream comes in chunks", "RFC 9112", JPEGConfig{Chunked: true}},
		{"http-text", "the stream says that it is text", "cheap cameras", JPEGConfig{ContentType: "text/plain"}},
		{"http-mixed", "multipart/mixed with a charset", "cheap cameras",
			JPEGConfig{ContentType: "multipart/mixed; charset=utf-8; boundary=%b"}},
		{"http-cookie", "who has no cookie is sent on for one", "cameras with a web page", JPEGConfig{Cookie: true}},
		{"http-no-end", "pictures without an end", "cheap cameras", JPEGConfig{NoLength: true, Edit: withoutEnd}},
		{"http-counts-too-much", "Content-Length of parts is too large", "cheap cameras",
			JPEGConfig{Counts: func(n int) int { return n + 100 }}},
		{"http-counts-too-little", "Content-Length of parts is too small", "cheap cameras",
			JPEGConfig{Counts: func(n int) int { return n / 2 }}},
		{"http-padded", "zeros behind each picture", "cameras with hardware encoders", JPEGConfig{Edit: padded}},
	}
}

// headed changes the head of the answer.
func headed(from, to string) JPEGConfig {
	return JPEGConfig{Head: func(head string) string { return strings.Replace(head, from, to, 1) }}
}

// withoutEnd cuts the marker that ends a picture off.
func withoutEnd(jpeg []byte) []byte { return bytes.TrimSuffix(jpeg, []byte{0xff, 0xd9}) }

// padded puts zeros behind a picture.
func padded(jpeg []byte) []byte { return append(bytes.Clone(jpeg), make([]byte, 64)...) }

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
