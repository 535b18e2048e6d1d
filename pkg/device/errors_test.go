package device_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/device"
)

var errFull = errors.New("too many readers")

func TestStatus(t *testing.T) {
	table := map[error]codes.Code{errFull: codes.ResourceExhausted}
	for _, tt := range []struct {
		err  error
		code codes.Code
		text string
	}{
		{nil, codes.OK, ""},
		{device.ErrAway, codes.Unavailable, "the hardware is away"},
		{fmt.Errorf("/dev/x: %w: it was unplugged", device.ErrAway), codes.Unavailable,
			"/dev/x: the hardware is away: it was unplugged"},
		{fmt.Errorf("/dev/x: %w", device.ErrBusy), codes.Unavailable, "/dev/x: the hardware is busy"},
		{fmt.Errorf("%w: %w", device.ErrAway, context.Canceled), codes.Unavailable, "the hardware is away: context canceled"},
		{fmt.Errorf("%w: %w", device.ErrAway, io.EOF), codes.Unavailable, "the hardware is away: EOF"},
		{fmt.Errorf("%w: at most 3", errFull), codes.ResourceExhausted, "too many readers: at most 3"},
		{fmt.Errorf("%w: %w", errFull, context.DeadlineExceeded), codes.ResourceExhausted,
			"too many readers: context deadline exceeded"},
		{fmt.Errorf("front: %w", device.ErrStopping), codes.Unavailable, "front: the device is stopping"},
		{io.EOF, codes.Unavailable, "the device is stopping"},
		{fmt.Errorf("no picture in time: %w", context.DeadlineExceeded), codes.DeadlineExceeded,
			"no picture in time: context deadline exceeded"},
		{context.Canceled, codes.Canceled, "context canceled"},
		{status.Error(codes.NotFound, "no such control"), codes.NotFound, "no such control"},
		{errors.New("broken"), codes.Internal, "broken"},
	} {
		got := status.Convert(device.Status(tt.err, table))
		if got.Code() != tt.code || got.Message() != tt.text {
			t.Errorf("%v is %v %q, want %v %q", tt.err, got.Code(), got.Message(), tt.code, tt.text)
		}
	}
}

func TestAway(t *testing.T) {
	unplugged := fmt.Errorf("/dev/x: %w: it was unplugged", device.ErrAway)
	for want, why := range map[string]error{
		"the hardware is away: it is being opened":       nil,
		"/dev/x: the hardware is away: it was unplugged": unplugged,
		"the hardware is away: no permission":            errors.New("no permission"),
	} {
		if got := device.Away(why); !errors.Is(got, device.ErrAway) || got.Error() != want || why != nil &&
			!errors.Is(got, why) {
			t.Errorf("away because of %v is %q, want %q", why, got, want)
		}
	}
}
