module github.com/waldo-robot/waldo/deploy/vm

go 1.26.0

replace github.com/waldo-robot/waldo/api => ../../api
