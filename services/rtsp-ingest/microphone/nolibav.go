//go:build nolibav

package microphone

// more adds nothing: AAC and G.726 need libavcodec.
func more(makers map[string]maker) map[string]maker { return makers }
