package rtmp

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"math/bits"
	"strings"
	"sync/atomic"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/handshake"
	"github.com/bluenviron/gortmplib/pkg/message"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// Config says what to pull.
type Config struct {
	Address     address.Address // rtmp or rtmps; the last part of the path is the name of the stream
	Fingerprint string          // of the certificate, see package dial
	LegacyTLS   bool            // see package dial
	Memory      *Memory         // what is known of the server from before; nil for nothing
	Limits      Limits
}

// Memory is what connections to a server have learnt, for the next one. The zero value knows nothing.
type Memory struct {
	plain atomic.Bool // the server does not answer those who say which codecs they know
}

// Open connects to a server and plays a stream.
func Open(ctx context.Context, config Config) (*Conn, error) {
	config.Limits = config.Limits.filled()
	if config.Memory == nil {
		config.Memory = &Memory{}
	}
	p := player{config: config, plain: config.Memory.plain.Load()}
	p.app, p.name = names(config.Address.Target)
	for range 4 { // with codecs and without; without a login, asking for the salt, with the answer
		c, err := p.connect(ctx)
		if errors.Is(err, errAgain) {
			continue
		}
		if err == nil {
			config.Memory.plain.Store(p.plain)
		}
		return c, err
	}
	return nil, feed.Failf(feed.Refused, "password", "password: the server refuses user and password: check both")
}

// names cuts the target of a URL into application and stream. The query belongs to the stream.
func names(target string) (app, name string) {
	path, query, ok := strings.Cut(strings.TrimPrefix(target, "/"), "?")
	if ok {
		query = "?" + query
	}
	if at := strings.LastIndexByte(path, '/'); at >= 0 {
		return path[:at], path[at+1:] + query
	}
	return path + query, ""
}

// errAgain says that another connection may succeed, with what is known now.
var errAgain = errors.New("once more")

type player struct {
	config    Config
	app, name string
	login     string // what stands behind the name of the application
	plain     bool   // do not say which codecs we know
}

func (p *player) connect(ctx context.Context) (*Conn, error) {
	conn, err := dial.Open(ctx, dial.Config{
		Address: p.config.Address, Fingerprint: p.config.Fingerprint, LegacyTLS: p.config.LegacyTLS,
		Limit: p.config.Limits.Connect,
	})
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, silence: p.config.Limits.Silence}
	counted := bytecounter.NewReadWriter(w)
	c := newConn(newSession(w, counted), p.config.Limits,
		map[string]string{"transport": p.config.Address.Scheme + ", pulled"})
	stop := context.AfterFunc(ctx, func() { c.end(ctx.Err()) })
	defer stop()
	w.greet(p.config.Limits.Answer)
	if err := p.play(c.session, counted); err != nil {
		c.end(err)
		return nil, p.reason(err)
	}
	w.welcome()
	if err := c.find(ctx); err != nil {
		c.end(err)
		return nil, err
	}
	return c, nil
}

func (p *player) reason(err error) error {
	_, ours := errors.AsType[*feed.Error](err)
	switch {
	case ours, errors.Is(err, errAgain):
		return err
	case dial.IsTimeout(err):
		return feed.Failf(feed.Away, "url", "the server does not answer in %s: check the port in url",
			p.config.Limits.Answer)
	case errors.Is(err, io.EOF):
		return feed.Failf(feed.Away, "url", "the server hangs up: check path, user and password in url")
	}
	return feed.Failf(feed.Away, "url", "the server does not answer by RTMP: check the port in url")
}

// play asks for the stream.
func (p *player) play(s *session, counted io.ReadWriter) error {
	if _, _, err := handshake.DoClient(counted, false, false); err != nil {
		return err
	}
	if err := s.send(&message.SetWindowAckSize{Value: window}, &message.SetChunkSize{Value: chunkSize},
		p.hello()); err != nil {
		return err
	}
	answer, err := p.welcomed(s)
	if err != nil {
		return err
	}
	if answer.Name == "_error" {
		return p.refused(answer)
	}
	if err := s.send(&message.CommandAMF0{ChunkStreamID: control, Name: "createStream", CommandID: 2,
		Arguments: []any{nil}}); err != nil {
		return err
	}
	if answer, err = s.answer(2); err != nil {
		return err
	}
	id := uint32(1)
	if len(answer.Arguments) > 1 {
		if n, ok := answer.Arguments[1].(float64); ok && n >= 0 && n < 1<<32 {
			id = uint32(n)
		}
	}
	return s.send(&message.UserControlSetBufferLength{StreamID: id, BufferLength: 100}, &message.CommandAMF0{
		ChunkStreamID: 4, MessageStreamID: bits.ReverseBytes32(id), Name: "play", CommandID: 3,
		Arguments: []any{nil, p.name},
	})
}

// welcomed returns the answer to hello. Servers that do not know lists skip what holds one, and never answer.
func (p *player) welcomed(s *session) (*message.CommandAMF0, error) {
	if p.plain {
		return s.answer(1)
	}
	s.wire.greet(min(p.config.Limits.Codecs, p.config.Limits.Answer))
	answer, err := s.answer(1)
	if err != nil {
		p.plain = true
		return nil, errAgain
	}
	s.wire.greet(p.config.Limits.Answer)
	return answer, nil
}

// answer returns the answer to a command.
func (s *session) answer(id int) (*message.CommandAMF0, error) {
	for {
		c, err := s.command()
		if err != nil {
			return nil, err
		}
		if c.CommandID == id && (c.Name == "_result" || c.Name == "_error") {
			return c, nil
		}
	}
}

// hello is the command connect.
func (p *player) hello() *message.CommandAMF0 {
	a := p.config.Address
	a.Target = "/" + p.app
	about := amf0.Object{
		{Key: "app", Value: p.app + p.login},
		{Key: "flashVer", Value: "LNX 9,0,124,2"},
		{Key: "tcUrl", Value: a.URL() + p.login},
		{Key: "fpad", Value: false},
		{Key: "capabilities", Value: float64(15)},
		{Key: "audioCodecs", Value: float64(0x0001 | 0x0004 | 0x0080 | 0x0100 | 0x0400)},
		// none, MP3, A-law, µ-law, AAC
		{Key: "videoCodecs", Value: float64(0x0080)}, // H.264
		{Key: "videoFunction", Value: float64(0)},
		{Key: "objectEncoding", Value: float64(0)},
	}
	if !p.plain { // enhanced RTMP; servers keep H.265 from those who do not say so
		about = append(about, amf0.ObjectEntry{Key: "fourCcList",
			Value: amf0.StrictArray{"avc1", "hvc1", "Opus", "mp4a"}})
	}
	return &message.CommandAMF0{ChunkStreamID: control, Name: "connect", CommandID: 1, Arguments: []any{about}}
}

// refused reads why a server refuses, and prepares the login that it asks for: Adobe's, in two steps.
func (p *player) refused(c *message.CommandAMF0) error {
	user, password := p.config.Address.User, string(p.config.Address.Password)
	why := text(c, 1, "description")
	if !strings.Contains(why, "authmod=adobe") {
		return status(&message.CommandAMF0{Name: "_error", Arguments: []any{nil, amf0.Object{{Key: "code",
			Value: "NetConnection.Connect.Rejected"}}}})
	}
	if user == "" {
		return feed.Failf(feed.Refused, "user",
			"user: the server asks for user and password: write them as keys beside url")
	}
	_, query, _ := strings.Cut(why, "?")
	asked := map[string]string{}
	for one := range strings.SplitSeq(strings.TrimRight(query, " :]"), "&") {
		key, value, _ := strings.Cut(one, "=")
		asked[key] = value
	}
	switch {
	case asked["reason"] == "needauth" && !strings.Contains(p.login, "&response="):
		challenge := rand.Text()[:8]
		p.login = "?authmod=adobe&user=" + user + "&challenge=" + challenge +
			"&response=" + response(user, password, asked, challenge)
		if opaque := asked["opaque"]; opaque != "" {
			p.login += "&opaque=" + opaque
		}
	case asked["reason"] == "" && p.login == "":
		p.login = "?authmod=adobe&user=" + user
	default:
		return feed.Failf(feed.Refused, "password", "password: the server refuses user and password: check both")
	}
	return errAgain
}

func response(user, password string, asked map[string]string, challenge string) string {
	sum := func(s string) string {
		h := md5.Sum([]byte(s))
		return base64.StdEncoding.EncodeToString(h[:])
	}
	theirs := asked["opaque"]
	if theirs == "" {
		theirs = asked["challenge"]
	}
	return sum(sum(user+asked["salt"]+password) + theirs + challenge)
}
