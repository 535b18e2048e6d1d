package server

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtcbot"
)

const (
	anOffer  = `{"type": "offer", "sdp": "v=0 offer"}`
	anAnswer = `{"sdp": "v=0 answer", "type": "answer"}`
)

// dialedIn is a robot that has dialed in.
func (s *site) dialedIn(query string) *websocket.Conn {
	s.t.Helper()
	conn, answer, err := websocket.Dial(s.t.Context(), s.URL+"/ws"+query, nil)
	if err != nil {
		s.t.Fatalf("%v: %v", answer, err)
	}
	s.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// answers has a robot answer one offer.
func answers(t *testing.T, conn *websocket.Conn, answer string) {
	_, offer, err := conn.Read(t.Context())
	if err == nil && string(offer) != anOffer {
		t.Errorf("the robot is sent %s", offer)
	}
	if err == nil {
		err = conn.Write(context.Background(), websocket.MessageText, []byte(answer))
	}
	if err != nil {
		t.Error(err)
	}
}

func offerTo(query string) request {
	return request{method: http.MethodPost, path: "/ws" + query, body: anOffer}
}

// TestRobotThatDialsIn answers offers, as often as they come. Each has a name, or none.
func TestRobotThatDialsIn(t *testing.T) {
	s := newSite(t, Config{RTCBot: new(rtcbot.Gateway)}, 0)
	conn := s.dialedIn("")
	other := s.dialedIn("?robot=pi")
	for range 3 {
		var robot sync.WaitGroup
		robot.Go(func() { answers(t, conn, anAnswer) })
		answer, body := s.do(offerTo(""))
		robot.Wait()
		if answer.StatusCode != http.StatusOK || body != anAnswer || answer.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s, %v, %s", answer.Status, answer.Header, body)
		}
	}
	var robot sync.WaitGroup
	robot.Go(func() { answers(t, other, strings.Replace(anAnswer, "v=0", "v=1", 1)) })
	if _, body := s.do(offerTo("?robot=pi")); !strings.Contains(body, "v=1") {
		t.Errorf("the other robot says %s", body)
	}
	robot.Wait()
}

// TestOffersTakeTurns: each gets the answer to itself.
func TestOffersTakeTurns(t *testing.T) {
	s := newSite(t, Config{RTCBot: new(rtcbot.Gateway)}, 0)
	conn := s.dialedIn("")
	const n = 10
	var all sync.WaitGroup
	all.Go(func() {
		for range n {
			answers(t, conn, anAnswer)
		}
	})
	for range n {
		all.Go(func() {
			if answer, body := s.do(offerTo("")); answer.StatusCode != http.StatusOK {
				t.Errorf("%s: %s", answer.Status, body)
			}
		})
	}
	all.Wait()
}

func TestDialInRefused(t *testing.T) {
	s := newSite(t, Config{RTCBot: new(rtcbot.Gateway)}, 0)
	for name, tt := range map[string]struct {
		q    request
		code int
		says string
	}{
		"nobody waits":      {offerTo("?robot=pi"), 503, "no robot waits"},
		"no name":           {offerTo("?robot=a.b"), 400, "robot"},
		"unknown parameter": {offerTo("?name=pi"), 400, `"name": there is no such parameter`},
		"no offer":          {request{method: "POST", path: "/ws", body: anAnswer}, 400, "type"},
		"no JSON":           {request{method: "POST", path: "/ws", body: "hello"}, 400, "JSON"},
		"too large": {request{method: "POST", path: "/ws", body: strings.Repeat("x", maxDescription+1)},
			413, "too large"},
		"no WebSocket": {request{path: "/ws"}, 426, ""},
	} {
		if answer, body := s.do(tt.q); answer.StatusCode != tt.code || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %s, %s", name, answer.Status, body)
		}
	}
	conn := s.dialedIn("")
	_, answer, err := websocket.Dial(t.Context(), s.URL+"/ws", nil)
	if err == nil || answer.StatusCode != http.StatusConflict {
		t.Errorf("a second robot of one name: %v", err)
	}
	var robot sync.WaitGroup
	robot.Go(func() { answers(t, conn, "no") })
	if answer, body := s.do(offerTo("")); answer.StatusCode != 500 ||
		!strings.Contains(body, "something else than an answer") {
		t.Errorf("%s, %s", answer.Status, body)
	}
	robot.Wait()
	robot.Go(func() {
		if _, _, err := conn.Read(t.Context()); err != nil {
			t.Error(err)
		}
		_ = conn.CloseNow()
	})
	if answer, body := s.do(offerTo("")); answer.StatusCode != 503 || !strings.Contains(body, "the robot has left") {
		t.Errorf("%s, %s", answer.Status, body)
	}
	robot.Wait()
}

// exchanged is what became of an offer.
type exchanged struct {
	answer string
	err    error
}

// offered begins an exchange.
func offered(ctx context.Context, in *dialIn, offer string) <-chan exchanged {
	done := make(chan exchanged, 1)
	go func() {
		answer, err := in.exchange(ctx, offer)
		done <- exchanged{answer, err}
	}()
	return done
}

// TestWhoLeavesTakesTheirAnswer: a page that is loaded again while the robot works on its first offer gets
// the answer to the second.
func TestWhoLeavesTakesTheirAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, _ := new(dialIns).add("")
		leaving, leave := context.WithCancel(t.Context())
		first := offered(leaving, in, "1")
		<-in.offers
		leave()
		second := offered(t.Context(), in, "2")
		synctest.Wait()
		in.said <- "to 1"
		if offer := <-in.offers; offer != "2" {
			t.Errorf("offer %s follows", offer)
		}
		in.said <- "to 2"
		if one, two := <-first, <-second; one.answer != "to 1" || two.answer != "to 2" {
			t.Errorf("answers: %v and %v", one, two)
		}
	})
}

// TestRobotThatIsSilent has to dial in again, and one that takes no offer keeps nobody.
func TestRobotThatIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all dialIns
		in, _ := all.add("")
		in.cut = func() { all.remove("", in) }
		ctx, cancel := context.WithTimeout(t.Context(), dialInTimeout)
		defer cancel()
		untaken := offered(ctx, in, "1")
		if got := <-untaken; status.Code(got.err) != codes.DeadlineExceeded {
			t.Errorf("not taken: %v", got)
		}
		unanswered := offered(t.Context(), in, "2")
		<-in.offers
		next := offered(t.Context(), in, "3")
		if got := <-unanswered; status.Code(got.err) != codes.DeadlineExceeded {
			t.Errorf("not answered: %v", got)
		}
		if got := <-next; status.Code(got.err) != codes.Unavailable {
			t.Errorf("after the end: %v", got)
		}
		if all.find("") != nil {
			t.Error("the robot is still there")
		}
	})
}
