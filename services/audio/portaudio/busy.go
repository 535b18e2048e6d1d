package portaudio

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// proc is where the kernel lists its sound cards.
const proc = "/proc/asound"

// busy finds the card that is meant among those that other programs use, which PortAudio does not list. It returns its
// name as PortAudio would give it, or nothing. Direction is "c" or "p", as the kernel names capture and playback.
func busy(root, direction, wanted string) string {
	files, _ := filepath.Glob(filepath.Join(root, "card*", "pcm*"+direction, "info")) // fails for a bad pattern only
	for _, file := range files {
		info := keyValues(file)
		if info["subdevices_avail"] != "0" {
			continue
		}
		name := fmt.Sprintf("%s: %s (hw:%s,%s)", cardName(root, info["card"]), info["name"], info["card"], info["device"])
		if wanted == Default || contains(wanted)(name) {
			return name
		}
	}
	return ""
}

// keyValues reads a file with lines like "card: 0"; of one that cannot be read, nothing.
func keyValues(file string) map[string]string {
	text, _ := os.ReadFile(file)
	values := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok {
			values[key] = strings.TrimSpace(value)
		}
	}
	return values
}

// cardName is what a card is called: " 0 [Loopback       ]: Loopback - Loopback" in the kernel's list.
func cardName(root, number string) string {
	text, _ := os.ReadFile(filepath.Join(root, "cards"))
	for line := range strings.Lines(string(text)) {
		head, tail, found := strings.Cut(line, "]:")
		if fields := strings.Fields(head); !found || len(fields) == 0 || fields[0] != number {
			continue
		}
		if _, name, ok := strings.Cut(tail, " - "); ok {
			return strings.TrimSpace(name)
		}
	}
	return "card " + number
}
