package bus_test

import (
	"context"
	"fmt"
	"log"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/stream"
)

func ExampleConnect() {
	server, err := embedded.Start(embedded.Config{}) // a free port on loopback
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	conn, err := bus.Connect(bus.Config{URL: server.URL(), Name: "example"})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	fmt.Println(conn.Connected())
	// Output: true
}

func ExampleSubscribe() {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	camera := bus.Address{Robot: "demo", Device: "front"}
	frames, err := bus.Subscribe[*mediav1.VideoFrame](conn.Conn, camera.Out("video"), stream.DropOldest(10))
	if err != nil {
		log.Fatal(err)
	}
	defer frames.Close()

	for i := range 3 {
		if err := conn.Publish(camera.Out("video"), &mediav1.VideoFrame{Sequence: int64(i)}); err != nil {
			log.Fatal(err)
		}
	}
	for frame, err := range frames.All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(frame.GetSequence())
		if frame.GetSequence() == 2 {
			break
		}
	}
	// Output:
	// 0
	// 1
	// 2
}

// describer is a device that can only say its name.
type describer struct {
	devicev1.UnimplementedDeviceServiceServer
}

func (describer) GetDevice(context.Context, *devicev1.GetDeviceRequest) (*devicev1.GetDeviceResponse, error) {
	return &devicev1.GetDeviceResponse{Device: &devicev1.Device{Robot: "demo", Name: "front"}}, nil
}

func ExampleConn_Client() {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	// The device's side; usually this is another process.
	camera := bus.Address{Robot: "demo", Device: "front"}
	service, err := conn.Serve(bus.ServiceConfig{Address: camera, Kind: "camera", Version: "1.0.0"})
	if err != nil {
		log.Fatal(err)
	}
	if err := service.RegisterService(&devicev1.DeviceService_ServiceDesc, describer{}); err != nil {
		log.Fatal(err)
	}

	// The caller's side is the generated gRPC client.
	client := devicev1.NewDeviceServiceClient(conn.Client(camera))
	answer, err := client.GetDevice(context.Background(), &devicev1.GetDeviceRequest{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.GetDevice().GetName())
	// Output: front
}
