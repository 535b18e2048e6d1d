package server

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

const (
	// maxPictures bounds the WebSockets that carry video: each is a copy of the stream, over TCP.
	maxPictures = 32
	// maxUnderWay is how many pictures may be on their way to the far end, or in its decoder. What comes meanwhile
	// waits in the reader, which keeps nothing old.
	maxUnderWay = 6
	// pictureTimeout is after how long a far end that confirms no picture in flight is considered gone.
	pictureTimeout = 5 * time.Second
	// maxWord bounds a message of the far end.
	maxWord = 256
	// pictureHeader is the size of what comes before the data of a picture, pictureVersion its first byte.
	pictureHeader, pictureVersion = 16, 1
	keyPicture                    = 1 // flag
)

// Pictures is the source of whole pictures.
type Pictures interface {
	// Choose takes the stream that carries what is wanted in a codec that the far end can use.
	Choose(context.Context, webrtc.RTPCodecType, tracks.Stream, func(*codecs.Codec) bool, string) (tracks.Stream,
		*codecs.Codec, error)
	// NewReader returns a reader of a stream in one codec.
	NewReader(context.Context, tracks.Stream, *codecs.Codec) (*tracks.Reader, error)
}

// pictureWord is a message of the far end.
type pictureWord struct {
	Got      uint32 `json:"got"`      // all pictures up to this number have left its decoder
	KeyFrame bool   `json:"keyFrame"` // it cannot go on without one
}

// pictures is one WebSocket that carries the video of one camera.
type pictures struct {
	socket *websocket.Conn
	reader *tracks.Reader
	codec  string        // that was announced last
	wake   chan struct{} // has a value when more may be sent

	mu        sync.Mutex
	sent, got uint32
}

// picture answers GET /picture/{device}.
func (s *Server) picture(w http.ResponseWriter, r *http.Request) {
	device := r.PathValue("device")
	if s.config.Pictures == nil {
		fail(w, status.Error(codes.Unimplemented, "this gateway does not send video over WebSockets"))
		return
	}
	if err := s.directory.Check(device); err != nil {
		fail(w, err)
		return
	}
	if err := s.enter(&s.pictureSockets); err != nil {
		fail(w, err)
		return
	}
	defer s.exit(&s.pictureSockets)
	reader, err := s.openReader(r.Context(), device, r.URL.Query().Get("types"))
	if err != nil {
		fail(w, err)
		return
	}
	defer reader.Close()
	socket, err := accept(w, r, maxWord)
	if err != nil {
		return
	}
	p := &pictures{socket: socket, reader: reader, wake: make(chan struct{}, 1)}
	visitor := visitorOf(r).Join(s.ctx)
	defer visitor.Leave()
	p.run(visitor.Context())
}

// descriptionPatience is how long a far end that cannot decode what most cameras have waits to learn what this one has.
const descriptionPatience = 1500 * time.Millisecond

// openReader returns a reader of the video of a camera, in a codec whose media type the far end lists.
func (s *Server) openReader(ctx context.Context, device, types string) (*tracks.Reader, error) {
	takes := func(c *codecs.Codec) bool {
		return types == "" || slices.ContainsFunc(strings.Split(types, ","),
			func(t string) bool { return strings.EqualFold(t, c.MediaType) })
	}
	wait, cancel := context.WithTimeout(ctx, descriptionPatience)
	defer cancel()
	wanted := tracks.Stream{Device: device, Name: rtc.Video}
	source, codec, err := s.config.Pictures.Choose(wait, webrtc.RTPCodecTypeVideo, wanted, takes,
		fmt.Sprintf("%.100q", types))
	if err != nil {
		return nil, err
	}
	return s.config.Pictures.NewReader(ctx, source, codec)
}

// run sends pictures until either side ends the session.
func (p *pictures) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer func() { _ = p.socket.CloseNow() }() // ends the goroutines, and is closed already unless something failed
	defer cancel()
	others.Go(func() {
		p.listen()
		cancel()
	})
	others.Go(func() { keepAlive(ctx, p.socket) })
	code, reason := websocket.StatusTryAgainLater, p.send(ctx)
	if ctx.Err() != nil {
		code, reason = websocket.StatusGoingAway, errors.New("the gateway is stopping, or the token has ended")
	}
	_ = p.socket.Close(code, reason.Error()) // the far end may be gone
}

// send sends pictures as fast as they are confirmed, and returns why it stopped.
func (p *pictures) send(ctx context.Context) error {
	for {
		if err := p.await(ctx); err != nil {
			return err
		}
		picture, err := p.reader.Next(ctx)
		if err != nil {
			return err
		}
		if err := p.sayCodec(ctx, picture); err != nil {
			return err
		}
		if err := p.write(ctx, websocket.MessageBinary, p.encode(picture)); err != nil {
			return err
		}
	}
}

// sayCodec names the codec of the pictures to come, when that changes.
func (p *pictures) sayCodec(ctx context.Context, picture tracks.Picture) error {
	if !picture.Key {
		return nil
	}
	codec := picture.Codec.WebCodecs(picture.Data)
	if codec == "" || codec == p.codec {
		return nil
	}
	p.codec = codec
	word, err := json.Marshal(map[string]string{"codec": codec})
	if err != nil {
		return err
	}
	return p.write(ctx, websocket.MessageText, word)
}

func (p *pictures) write(ctx context.Context, kind websocket.MessageType, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return p.socket.Write(ctx, kind, data)
}

// await returns when one more picture may be sent.
func (p *pictures) await(ctx context.Context) error {
	timeout := time.NewTimer(pictureTimeout)
	defer timeout.Stop()
	for {
		p.mu.Lock()
		room := p.sent-p.got < maxUnderWay
		p.mu.Unlock()
		if room {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return fmt.Errorf("no picture was confirmed for %v", pictureTimeout)
		case <-p.wake:
		}
	}
}

// encode puts the header before a picture.
func (p *pictures) encode(picture tracks.Picture) []byte {
	p.mu.Lock()
	p.sent++
	number := p.sent
	p.mu.Unlock()
	message := make([]byte, pictureHeader, pictureHeader+len(picture.Data))
	message[0] = pictureVersion
	if picture.Key {
		message[1] = keyPicture
	}
	binary.BigEndian.PutUint32(message[4:], number)
	binary.BigEndian.PutUint64(message[8:], uint64(picture.Capture.UnixMicro()))
	return append(message, picture.Data...)
}

// listen reads from the far end until the socket is closed or a message is invalid.
func (p *pictures) listen() {
	for {
		kind, data, err := p.socket.Read(context.Background()) // ends when the socket is closed
		if err != nil {
			return
		}
		word, err := readPictureWord(kind == websocket.MessageText, data)
		if err == nil {
			err = p.heard(word)
		}
		if err != nil {
			_ = p.socket.Close(websocket.StatusPolicyViolation, err.Error()) // nobody may be there any more
			return
		}
	}
}

// heard handles a message of the far end.
func (p *pictures) heard(word pictureWord) error {
	p.mu.Lock()
	sent, late := p.sent, word.Got < p.got
	if !late && word.Got <= sent {
		p.got = word.Got
	}
	p.mu.Unlock()
	if word.Got > sent {
		return fmt.Errorf("got: %d pictures were sent, not %d", sent, word.Got)
	}
	if word.KeyFrame {
		p.reader.AskKey()
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

// readPictureWord parses a message of the far end. Unknown fields are ignored: a newer one may send them.
func readPictureWord(text bool, data []byte) (word pictureWord, err error) {
	if !text {
		return word, errors.New(`send text: {"got": 7}`)
	}
	if err := json.Unmarshal(data, &word); err != nil {
		return pictureWord{},
			errors.New(`not understood: send {"got": 7} for the last picture that was decoded, with "keyFrame": true if none can be`)
	}
	return word, nil
}
