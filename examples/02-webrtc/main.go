// Command 02-webrtc answers each ping of a page with a pong: 02-webrtc http://127.0.0.1:8080/. The README beside it
// explains it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"

	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/peer"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: 02-webrtc <address of the robot's page>, for example http://127.0.0.1:8080/")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	robot, err := peer.Dial(ctx, os.Args[1], peer.Options{Token: os.Getenv("WALDO_TOKEN"), Name: "02-webrtc"})
	if err != nil {
		log.Fatal(err)
	}
	defer robot.Close()
	chat := robot.Topic("chat")
	defer chat.Close()
	for message, err := range chat.Messages(ctx, 16) {
		if err != nil {
			return // ctx has ended
		}
		var said struct{ Ping int }
		if json.Unmarshal([]byte(message.GetText()), &said) != nil || said.Ping == 0 {
			continue // it is somebody else's
		}
		fmt.Println("got ping", said.Ping)
		pong := fmt.Sprintf(`{"pong": %d, "from": "Go"}`, said.Ping)
		if err := chat.Send(&messagev1.Message{Body: &messagev1.Message_Text{Text: pong}}); err != nil {
			log.Print("no answer was sent: ", err)
		}
	}
}
