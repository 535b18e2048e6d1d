module github.com/waldo-robot/waldo/deploy/packages

go 1.26.0

require golang.org/x/sys v0.49.0
