package peer

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestACallThatAsksForNothing ends, and so does what waits for it.
func TestACallThatAsksForNothing(t *testing.T) {
	w := start(t, Defaults())
	call, err := w.direct.Publish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call.Recv(); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("the call ends with %v", err)
	}
}
