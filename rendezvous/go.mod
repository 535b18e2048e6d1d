module github.com/waldo-robot/waldo/rendezvous

go 1.26.0

replace (
	github.com/waldo-robot/waldo/api => ../api
	github.com/waldo-robot/waldo/pkg => ../pkg
)
