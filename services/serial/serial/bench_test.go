package serial

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/ptytest"
	"github.com/waldo-robot/waldo/services/serial/tty"
)

// echo has a board echo what it receives, until it is unplugged.
func echo(b *testing.B) *ptytest.Terminal {
	b.Helper()
	// an unplugged board receives nothing
	return ptytest.NewFunc(b, func(board *os.File, heard []byte) { _, _ = board.Write(heard) })
}

// BenchmarkRoundTrip measures a packed struct to an echoing board: on the bare port, and through gRPC,
// alternately, so that other load on the machine affects both.
func BenchmarkRoundTrip(b *testing.B) {
	bare, err := tty.Open(echo(b).Path, tty.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer bare.Close()
	r := start(b, echo(b).Path, func(c *Config) {
		c.Read, c.ReadKeys, c.Write, c.WriteKeys = "<hh", []string{"left", "right"}, "<hh", []string{"left", "right"}
	})
	r.awaitReady(b)
	call, err := r.serial.Connect(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	request := &serialv1.ConnectRequest{Write: &serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Record{Record: &serialv1.Record{Fields: []*serialv1.Field{
		{Key: "left", Value: &serialv1.Value{Kind: &serialv1.Value_Integer{Integer: 100}}},
		{Key: "right", Value: &serialv1.Value{Kind: &serialv1.Value_Integer{Integer: -100}}},
	}}}}}
	through := func() {
		if err := call.Send(request); err != nil {
			b.Fatal(err)
		}
		for message, result := false, false; !message || !result; {
			m, err := call.Recv()
			if err != nil {
				b.Fatal(err)
			}
			message, result = message || m.GetMessage() != nil, result || m.GetResult() != nil
		}
	}
	payload, buffer := []byte{100, 0, 156, 255}, make([]byte, 64)
	direct := func() {
		if _, err := bare.Write(payload); err != nil {
			b.Fatal(err)
		}
		for n := 0; n < len(payload); {
			got, err := bare.Read(buffer)
			if err != nil {
				b.Fatal(err)
			}
			n += got
		}
	}
	var grpcTimes, bareTimes []float64
	for b.Loop() {
		bareTimes = append(bareTimes, micros(direct))
		grpcTimes = append(grpcTimes, micros(through))
	}
	slices.Sort(bareTimes)
	slices.Sort(grpcTimes)
	for name, q := range map[string]float64{"p50": 0.5, "p99": 0.99} {
		bareTime, grpcTime := quantile(bareTimes, q), quantile(grpcTimes, q)
		b.ReportMetric(bareTime, "bare-"+name+"-µs")
		b.ReportMetric(grpcTime, "grpc-"+name+"-µs")
		b.ReportMetric(grpcTime-bareTime, "added-"+name+"-µs")
	}
}

func micros(f func()) float64 {
	begin := time.Now()
	f()
	return float64(time.Since(begin)) / float64(time.Microsecond)
}

func quantile(sorted []float64, q float64) float64 { return sorted[int(q*float64(len(sorted)-1))] }

// BenchmarkWrites counts the messages that one caller can write through gRPC.
func BenchmarkWrites(b *testing.B) {
	p := ptytest.NewFunc(b, func(*os.File, []byte) {})
	r := start(b, p.Path, nil)
	r.awaitReady(b)
	call, err := r.serial.Connect(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	results := make(chan error, 1)
	go func() {
		for range b.N {
			if _, err := call.Recv(); err != nil {
				results <- err
				return
			}
		}
		results <- nil
	}()
	b.ResetTimer()
	for i := range b.N {
		if err := call.Send(&serialv1.ConnectRequest{Id: int64(i), Write: lineMessage("left 100 right -100")}); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-results; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkReads counts the messages of a board that one reader gets through gRPC.
func BenchmarkReads(b *testing.B) {
	p := ptytest.New(b)
	r := start(b, p.Path, nil)
	r.awaitReady(b)
	call, err := r.serial.Connect(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if err := call.Send(&serialv1.ConnectRequest{Write: lineMessage("x")}); err != nil {
		b.Fatal(err)
	}
	if _, err := call.Recv(); err != nil { // it reads from now on
		b.Fatal(err)
	}
	const burst = 100 // fewer than may wait for a reader
	lines := strings.Repeat("left 100 right -100 battery 7400\n", burst)
	read := 0
	b.ResetTimer()
	for range (b.N + burst - 1) / burst {
		p.Say(b, lines)
		for range burst {
			m, err := call.Recv()
			if err != nil || m.GetDroppedCount() > 0 {
				b.Fatalf("%d lost, %v", m.GetDroppedCount(), err)
			}
			read++
		}
	}
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "messages/s")
}
