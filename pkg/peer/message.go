package peer

import (
	"encoding/json"
	"fmt"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

// lenient reads messages of newer gateways, too.
var lenient = protojson.UnmarshalOptions{DiscardUnknown: true}

// result is a waldo.signaling.v1.CallResult whose response is JSON still: only the caller knows its type.
type result struct {
	ID       int32           `json:"id"`
	Response json.RawMessage `json:"response"`
	Value    json.RawMessage `json:"value"`
	Error    *refusedCall    `json:"error"`
}

// refusedCall is a waldo.signaling.v1.Error. Its details are read one by one, as some may be of unknown types.
type refusedCall struct {
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Details []json.RawMessage `json:"details"`
}

// parseMessage reads a message of the gateway. The result of a call is returned beside it.
func parseMessage(data []byte) (*signalingv1.GatewayMessage, *result, error) {
	var peek struct {
		Result *result `json:"result"`
	}
	if err := json.Unmarshal(data, &peek); err != nil {
		return nil, nil, fmt.Errorf("not a message of the gateway: %w", err)
	}
	if peek.Result != nil {
		return nil, peek.Result, nil
	}
	var m signalingv1.GatewayMessage
	if err := lenient.Unmarshal(data, &m); err != nil {
		return nil, nil, fmt.Errorf("not a message of the gateway: %w", err)
	}
	return &m, nil, nil
}

// parseResult reads what comes on the channel of calls.
func parseResult(data []byte) (*result, error) {
	var r result
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// into fills a message with the response, or returns the error of the call: a gRPC status.
func (r *result) into(reply proto.Message) error {
	if r.Error != nil {
		return r.Error.status()
	}
	data := r.Response
	if len(data) == 0 {
		data = r.Value
	}
	if len(data) == 0 {
		return nil // nothing in it is set
	}
	if err := lenient.Unmarshal(data, reply); err != nil {
		return status.Errorf(codes.Internal, "the response is no %s: %v", reply.ProtoReflect().Descriptor().FullName(), err)
	}
	return nil
}

// status is the error as gRPC has it, with those details whose types this program has.
func (e *refusedCall) status() error {
	s := &spb.Status{Code: int32(codeNamed(e.Code)), Message: e.Message}
	for _, raw := range e.Details {
		var detail anypb.Any
		if lenient.Unmarshal(raw, &detail) == nil {
			s.Details = append(s.Details, &detail)
		}
	}
	return status.ErrorProto(s)
}

// errorOf is the error that the gateway reports about something else than a call.
func errorOf(e *signalingv1.Error) error {
	return status.ErrorProto(&spb.Status{Code: int32(codeNamed(e.GetCode())), Message: e.GetMessage(),
		Details: e.GetDetails()})
}

// codeNamed is the code that a name stands for, for example NOT_FOUND. An error is never OK.
func codeNamed(name string) codes.Code {
	var c codes.Code
	if err := c.UnmarshalJSON([]byte(fmt.Sprintf("%q", name))); err != nil || c == codes.OK {
		return codes.Unknown
	}
	return c
}
