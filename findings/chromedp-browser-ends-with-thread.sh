#!/bin/bash
# A browser that github.com/chromedp/chromedp started ends with the thread that started it, not with the program.
#
# github.com/chromedp/chromedp v0.15.0 (Go 1.26, Debian's Chromium): on Linux, chromedp asks the kernel to kill the
# browser when its parent ends (Pdeathsig). The kernel takes the thread for the parent. A Go program has threads that
# end: a goroutine that locks its thread, for a network namespace, say, and does not unlock it takes the thread with it,
# which may have run anything before. The browser is gone then, and chromedp says only "context canceled".
#
# Seen:  after the end of another thread: 2 | after the end of the thread that started the browser: context canceled
#
# So nothing in e2e/ ends a thread: e2e/harness/internet comes back from a namespace, which its TestThreadsStay checks.
set -euo pipefail
command -v chromium >/dev/null || { echo "install Debian's chromium" >&2; exit 1; }
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/chromedp/chromedp"
)

// thread runs f on a thread of its own, which ends with it.
func thread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		f()
	}()
	<-done
}

// sum asks the browser for 1+1, for as long as it answers within 5 s.
func sum(ctx context.Context) (n int, err error) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end) && err == nil; time.Sleep(100 * time.Millisecond) {
		err = chromedp.Run(ctx, chromedp.Evaluate("1+1", &n))
	}
	return n, err
}

func main() {
	runtime.LockOSThread() // the main thread does not end, so it is to run nothing else
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	started, end := make(chan error), make(chan struct{})
	ctx, cancel := chromedp.NewContext(allocator)
	defer cancel()
	go thread(func() {
		started <- chromedp.Run(ctx)
		<-end
	})
	if err := <-started; err != nil {
		panic(err)
	}
	thread(func() {})
	n, err := sum(ctx)
	if err != nil || n != 2 {
		panic(fmt.Sprint("without its thread's end: ", n, err))
	}
	close(end)
	_, gone := sum(ctx)
	fmt.Printf("after the end of another thread: %d | after the end of the thread that started the browser: %v\n", n, gone)
	if !errors.Is(gone, context.Canceled) {
		panic("this has changed")
	}
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/chromedp/chromedp@v0.15.0 >/dev/null 2>&1
GOWORK=off GOFLAGS=-mod=mod go run .
