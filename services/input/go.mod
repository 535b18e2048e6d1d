module github.com/waldo-robot/waldo/services/input

go 1.26.0

require (
	github.com/waldo-robot/waldo/api v0.0.0
	github.com/waldo-robot/waldo/pkg v0.0.0
)

replace (
	github.com/waldo-robot/waldo/api => ../../api
	github.com/waldo-robot/waldo/pkg => ../../pkg
)
