module github.com/waldo-robot/waldo/deploy/vm

go 1.26.0

require (
	github.com/waldo-robot/waldo/api v0.1.0
	github.com/waldo-robot/waldo/pkg v0.1.0
	go.uber.org/goleak v1.3.0
	golang.org/x/sys v0.49.0
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)

require (
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260928230214-8a89bd6388cc // indirect
)

replace (
	github.com/waldo-robot/waldo/api => ../../api
	github.com/waldo-robot/waldo/pkg => ../../pkg
)
