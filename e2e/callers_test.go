package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1" // with waldo.control.v1: the methods called by name
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus"
)

// outcome is the result of a call: an answer, or an error.
type outcome struct {
	Answer  map[string]any `json:"answer"`
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Reason  string         `json:"reason"` // of the ErrorInfo; empty without one
}

// caller calls methods of the device `motors` over one of the transports.
type caller func(t *testing.T, method, request string) outcome

// throughConn calls by gRPC, directly or over the bus.
func throughConn(conn grpc.ClientConnInterface) caller {
	return func(t *testing.T, method, request string) outcome {
		t.Helper()
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(method, "/", ".")))
		if err != nil {
			t.Fatal(err)
		}
		described := d.(protoreflect.MethodDescriptor)
		in, err := protoregistry.GlobalTypes.FindMessageByName(described.Input().FullName())
		if err != nil {
			t.Fatal(err)
		}
		out, err := protoregistry.GlobalTypes.FindMessageByName(described.Output().FullName())
		if err != nil {
			t.Fatal(err)
		}
		from, to := in.New().Interface(), out.New().Interface()
		if err := protojson.Unmarshal([]byte(request), from); err != nil {
			t.Fatal(err)
		}
		if err := conn.Invoke(t.Context(), "/"+method, from, to); err != nil {
			return refused(status.Convert(err))
		}
		text, err := protojson.Marshal(to)
		if err != nil {
			t.Fatal(err)
		}
		return answered(t, text)
	}
}

func answered(t *testing.T, text []byte) (o outcome) {
	t.Helper()
	if err := json.Unmarshal(text, &o.Answer); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return o
}

func refused(s *status.Status) outcome {
	o := outcome{Code: code.Code(s.Code()).String(), Message: s.Message()}
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			o.Reason = info.GetReason()
		}
	}
	return o
}

func throughGRPC(t *testing.T, address string) caller {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // an error would lose nothing
	return throughConn(conn)
}

func throughBus(t *testing.T, robot *harness.Robot) caller {
	t.Helper()
	conn, err := bus.Connect(bus.Config{URL: robot.NATS, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	harness.Until(t, "the test is on the bus", func() error { return conn.Flush(t.Context()) })
	return throughConn(conn.Client(bus.Address{Robot: "e2e", Device: "motors"}))
}

// throughPython calls with grpcio from PyPI.
func throughPython(t *testing.T, address string) caller {
	t.Helper()
	cmd := exec.Command(python(t), "testdata/call.py", address)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewReader(out)
	return func(t *testing.T, method, request string) (o outcome) {
		t.Helper()
		step, err := json.Marshal(map[string]string{"method": method, "request": request})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(append(step, '\n')); err != nil {
			t.Fatal(err)
		}
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		return o
	}
}

// throughPage calls with waldo.js in Chromium, over the WebSocket or over the lossy data channel.
func throughPage(page *harness.Page, lossy bool) caller {
	return func(t *testing.T, method, request string) outcome {
		t.Helper()
		return harness.Eval[outcome](t, page, `window.waldo.robot.call('motors', $1, JSON.parse($2), { lossy: $3 }).then(
		  (answer) => ({ answer }),
		  (e) => ({ code: e.code, message: e.message, reason: e.detail('google.rpc.ErrorInfo')?.reason ?? '' }))`,
			method, request, lossy)
	}
}

// python is a Python with the package of clients/python and the packages of e2e/requirements.txt.
func python(t testing.TB) string {
	t.Helper()
	path := os.Getenv("WALDO_PYTHON")
	if path == "" {
		t.Fatal("WALDO_PYTHON is not set: run the tests with `make test`, or set it to the Python of " +
			"`make venv`")
	}
	return path
}
