module github.com/waldo-robot/waldo/services/camera

go 1.26.0

require github.com/waldo-robot/waldo/pkg v0.0.0

require (
	github.com/waldo-robot/waldo/api v0.0.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace (
	github.com/waldo-robot/waldo/api => ../../api
	github.com/waldo-robot/waldo/pkg => ../../pkg
)
