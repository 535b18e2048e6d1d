//go:build nolibav

package microphone

var byLibrary []sent

// aacSays is said of AAC.
const aacSays = "is AAC, and this program was built without libavcodec: set it to G.711"
