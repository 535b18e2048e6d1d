module github.com/waldo-robot/waldo/deploy/vm

go 1.26.0

replace github.com/waldo-robot/waldo/api => ../../api

require go.uber.org/goleak v1.3.0
