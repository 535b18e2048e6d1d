package server

import (
	"context"
	"crypto/rand"
	"net/http"
	"strconv"
	"sync"

	"github.com/coder/websocket"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtcbot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

// maxTopics bounds the WebSockets on topics.
const maxTopics = 200

// connect answers an offer of a client of RTCBot: POST /connect, with ?raw=1 for strings as they are.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	raw, err := wantsRaw(r)
	if err != nil {
		fail(w, err)
		return
	}
	body, ok := readUpTo(w, r, maxMessage)
	if !ok {
		return
	}
	offer, err := rtcbot.ParseOffer(body)
	if err != nil {
		fail(w, err)
		return
	}
	visitor := visitorOf(r).Join(s.ctx)
	client := rtcbot.Client{
		Address: r.RemoteAddr, Program: program(r), Raw: raw, Remote: isRemote(r), Visitor: visitor,
	}
	session, sdp, err := s.config.RTCBot.Connect(r.Context(), offer, client)
	if err != nil {
		visitor.Leave()
		fail(w, err)
		return
	}
	end := func() {
		session.Wait(visitor.Context())
		session.Close()
		visitor.Leave()
	}
	answer, err := rtcbot.Answer(sdp)
	if err == nil && !s.own(end) {
		err = errStopping
	}
	if err != nil {
		session.Close()
		visitor.Leave()
		fail(w, err)
		return
	}
	visitor.Began("POST /connect")
	s.signAnswer(w, r, offer, sdp)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer) // the client has left: the connection times out
}

// maxProgram bounds what a client says it is, in characters.
const maxProgram = 64

// wantsRaw reads the option raw.
func wantsRaw(r *http.Request) (raw bool, err error) {
	text := r.URL.Query().Get("raw")
	if text == "" {
		return false, nil
	}
	if raw, err = strconv.ParseBool(text); err != nil {
		return false, status.Errorf(codes.InvalidArgument, "raw: %.20q is not 1 or 0", text)
	}
	return raw, nil
}

// topic joins a topic: GET /ws/{topic}, a WebSocket that carries the messages of others as RTCBot's Websocket reads
// them, and publishes what comes.
func (s *Server) topic(w http.ResponseWriter, r *http.Request) {
	raw, err := wantsRaw(r)
	if err != nil {
		fail(w, err)
		return
	}
	if err := s.enter(&s.topicSockets); err != nil {
		fail(w, err)
		return
	}
	defer s.exit(&s.topicSockets)
	member, err := s.config.RTCBot.Join(r.PathValue("topic"), "socket-"+rand.Text(), raw)
	if err != nil {
		fail(w, err)
		return
	}
	defer member.Close()
	conn, err := accept(w, r, rtc.MaxMessage)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }() // closed already, unless something failed
	visitor := visitorOf(r).Join(s.ctx)
	defer visitor.Leave()
	s.serveTopic(visitor, conn, member)
}

// serveTopic carries messages both ways until either side closes the socket.
func (s *Server) serveTopic(of *visitors.Visitor, conn *websocket.Conn, member *rtcbot.Member) {
	ctx, cancel := context.WithCancel(of.Context())
	socket := newSocketTransport(conn)
	defer socket.cut()
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	stop := context.AfterFunc(of.Context(), func() { endSocket(of, socket) })
	defer stop()
	others.Go(func() { keepAlive(ctx, conn) })
	others.Go(func() {
		_ = member.Listen(ctx, func(ctx context.Context, text bool, data []byte) error {
			ctx, cancel := context.WithTimeout(ctx, writeTimeout)
			defer cancel()
			return conn.Write(ctx, messageType(text), data) // a failure closes the socket
		})
		if ctx.Err() == nil { // otherwise it is closed already, or with a reason
			_ = conn.CloseNow()
		}
	})
	for {
		text, data, err := socket.receive()
		if err != nil {
			return
		}
		member.Say(text, data)
	}
}

func messageType(text bool) websocket.MessageType {
	if text {
		return websocket.MessageText
	}
	return websocket.MessageBinary
}
