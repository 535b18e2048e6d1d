// Package window shows pictures in a window of X11, without C. A Wayland desktop shows it by XWayland.
//
// A [Window] is on the screen from [Open] to [Window.Close]. [Window.Show] draws a picture and waits until the server
// has it, so a program that draws is never ahead of the screen. People end the window with ESC or as they close
// windows; then [Window.Done] is closed. The last picture stays while nothing is drawn, whatever is dragged across it.
//
// A server on the same machine takes pictures from shared memory; others are sent them, in pieces that every server
// takes. Only displays with 24 bits of color, which all are, can be used.
//
// All methods are safe for concurrent use. A Window owns one goroutine, which ends with Close.
package window
