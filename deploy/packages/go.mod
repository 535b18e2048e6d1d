module github.com/waldo-robot/waldo/deploy/packages

go 1.26.0
