module github.com/waldo-robot/waldo/recording

go 1.26.0

require (
	github.com/foxglove/mcap/go/mcap v1.9.0
	github.com/klauspost/compress v1.20.3
	github.com/pierrec/lz4/v4 v4.1.22
	github.com/waldo-robot/waldo/api v0.1.0
	github.com/waldo-robot/waldo/pkg v0.1.0
	go.uber.org/goleak v1.3.0
	google.golang.org/protobuf v1.36.12
)

require (
	github.com/stretchr/testify v1.12.1 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260928230214-8a89bd6388cc // indirect
	google.golang.org/grpc v1.85.0 // indirect
)

replace (
	github.com/waldo-robot/waldo/api => ../api
	github.com/waldo-robot/waldo/pkg => ../pkg
)
