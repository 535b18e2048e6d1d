// Package rtcbot is what RTCBot's clients and robots write: session descriptions, and messages of data channels.
//
// RTCBot's Python side writes every message as JSON, and reads text that is not JSON as a string. Its JavaScript side
// writes strings as they are and everything else as JSON, and gives its program the text as it came. By convention,
// messages on a topic of the bus are JSON. So what comes from RTCBot is made JSON if it is none: text becomes a string,
// and the numbers that only Python writes (NaN, Infinity) become null, as they do in JavaScript. What goes to RTCBot is
// always JSON, so that Python gets the value that was sent; for programs in JavaScript that expect strings as they are,
// there is an option.
package rtcbot
