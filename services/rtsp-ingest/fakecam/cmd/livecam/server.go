package main

import (
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// server sends one stream to all who ask, under any path.
type server struct {
	rtsp    *gortsplib.Server
	stream  *gortsplib.ServerStream
	media   *description.Media
	packets *rtph264.Encoder
	begin   time.Time
	played  atomic.Bool   // a reader has come
	ready   chan struct{} // closed when the stream is: the server cannot be started after it
}

// serve starts a server for a stream that begins with a picture. That one is not sent: nobody reads yet.
func serve(listen string, first []byte) (*server, error) {
	var units h264.AnnexB
	if err := units.Unmarshal(first); err != nil {
		return nil, err
	}
	f := &format.H264{PayloadTyp: 96, PacketizationMode: 1}
	for _, unit := range units {
		switch h264.NALUType(unit[0] & 0x1f) {
		case h264.NALUTypeSPS:
			f.SPS = unit
		case h264.NALUTypePPS:
			f.PPS = unit
		}
	}
	packets, err := f.CreateEncoder()
	if err != nil {
		return nil, err
	}
	s := &server{packets: packets, begin: time.Now(), ready: make(chan struct{}),
		media: &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{f}}}
	s.rtsp = &gortsplib.Server{Handler: s, RTSPAddress: listen}
	s.stream = &gortsplib.ServerStream{Server: s.rtsp, Desc: &description.Session{Medias: []*description.Media{s.media}}}
	if err := s.rtsp.Start(); err != nil {
		return nil, err
	}
	if err := s.stream.Initialize(); err != nil {
		s.rtsp.Close()
		return nil, err
	}
	close(s.ready)
	return s, nil
}

func (s *server) close() {
	s.stream.Close()
	s.rtsp.Close()
}

// send sends a picture.
func (s *server) send(data []byte, captured time.Time) error {
	var units h264.AnnexB
	if err := units.Unmarshal(data); err != nil {
		return err
	}
	packets, err := s.packets.Encode(units)
	if err != nil {
		return err
	}
	for _, p := range packets {
		p.Timestamp = uint32(captured.Sub(s.begin).Microseconds() * 90 / 1000)
		if err := s.stream.WritePacketRTPWithNTP(s.media, p, captured); err != nil {
			return err
		}
	}
	return nil
}

// ok returns an answer, which the library fills.
func ok() *base.Response { return &base.Response{StatusCode: base.StatusOK} }

// OnDescribe implements [gortsplib.ServerHandlerOnDescribe].
func (s *server) OnDescribe(*gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	<-s.ready
	return ok(), s.stream, nil
}

// OnSetup implements [gortsplib.ServerHandlerOnSetup].
func (s *server) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return ok(), s.stream, nil
}

// OnPlay implements [gortsplib.ServerHandlerOnPlay].
func (s *server) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	s.played.Store(true)
	return ok(), nil
}
