package work_test

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	workv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/work/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/work"
)

// A worker tells how large the pictures are, and a reader prints that in the order in which they were captured.
func Example() {
	conn, err := bus.Connect(bus.Config{URL: "nats://127.0.0.1:4222"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	camera := bus.Address{Robot: "demo", Device: "front"}
	measure := func(_ context.Context, f *mediav1.VideoFrame) (*workv1.Result, error) {
		return &workv1.Result{Value: structpb.NewNumberValue(float64(len(f.GetData())))}, nil
	}
	w, err := work.Start(conn.Conn, camera, "sizes", measure, work.Config{Parallel: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()
	results, err := work.Collect(conn.Conn, camera, "sizes", work.ResultsConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer results.Close()
	for result, err := range results.All(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(result.GetSequence(), result.GetValue().GetNumberValue(), "bytes")
	}
}
