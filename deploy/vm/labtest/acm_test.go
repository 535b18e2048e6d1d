package labtest

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/deploy/vm/boardsim"
)

// boardLine returns the board's end of its serial line, which exists even while the board is not plugged in.
func boardLine(t *testing.T, b *boardsim.Board) (path string) {
	t.Helper()
	path, err := b.Line()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, path+" there", func() bool { return there(path) })
	return path
}

// Lines go both ways, and again after the board was pulled out and plugged in.
func TestLinesOverUSB(t *testing.T) {
	requireLab(t)
	b := buildBoard(t)
	path := boardLine(t, b)
	far := hearLine(t, path)
	p := startSerial(t, firstAddress, lineByID)
	before := p.awaitAway(lineByID)
	plugBoard(t, b)
	sameProcess(t, before, p.awaitReady())
	s := p.read()
	checkBothWays(t, p, s, far, 20)
	for range 2 {
		unplugBoard(t, b)
		sameProcess(t, before, p.awaitAway())
		if _, err := p.serial.WriteMessage(p.context(), textMessage("lost")); status.Code(err) != codes.Unavailable {
			t.Errorf("write while away: %v, want Unavailable", err)
		}
		far.close() // a terminal that hung up does not recover
		far = hearLine(t, path)
		plugBoard(t, b)
		sameProcess(t, before, p.awaitReady())
		checkBothWays(t, p, s, far, 3)
		if strings.Contains(far.all(), "lost") {
			t.Error("a refused message was written")
		}
	}
}

// crc8 is the checksum of the rover's frames: polynomial 0x07, not reflected, without a final XOR.
func crc8(data string) (crc byte) {
	for i := range len(data) {
		crc ^= data[i]
		for range 8 {
			carry := crc >> 7
			crc = crc<<1 ^ carry*0x07
		}
	}
	return crc
}

// frame is a message of two 16-bit numbers in the format of the rover's board: a start byte, the numbers, a checksum.
func frame(start byte, left, right int16) string {
	payload := string([]byte{byte(left), byte(left >> 8), byte(right), byte(right >> 8)})
	return string([]byte{start}) + payload + string([]byte{crc8(payload)})
}

// frameFlags are the flags for messages made by frame: read with 0x5A in front, written with 0xA5.
func frameFlags(more ...string) []string {
	return append([]string{
		"--read", "<hh", "--read-keys", "[left, right]", "--start-byte", "0x5A", "--checksum", "crc8",
		"--write", "<hh", "--write-keys", "[left, right]", "--write-start-byte", "0xA5", "--write-checksum", "crc8"}, more...)
}

func TestStructsOverUSB(t *testing.T) {
	requireLab(t)
	if got := crc8("123456789"); got != 0xf4 {
		t.Fatalf("the check value of crc8 is %#x", got)
	}
	b := buildBoard(t)
	far := hearLine(t, boardLine(t, b))
	plugBoard(t, b)
	p := startSerial(t, firstAddress, lineByID, frameFlags()...)
	p.awaitReady()
	s := p.read()
	p.write(jsonMessage(`{"left": -200, "right": 165}`)) // 165 is the start byte
	far.await(0, frame(0xa5, -200, 165))

	good, bad := frame(0x5a, 1, -2), []byte(frame(0x5a, 90, 17)) // 90 is the start byte
	bad[len(bad)-1] ^= 1
	far.say("noise" + good + string(bad) + good[:3])
	far.say(good[3:] + frame(0x5a, 3, 4))
	for _, want := range []string{`{"left":1,"right":-2}`, `{"left":1,"right":-2}`, `{"left":3,"right":4}`} {
		if got := strings.ReplaceAll(s.next().GetJson(), " ", ""); got != want {
			t.Errorf("read %s, want %s", got, want)
		}
	}
	const count = 200 // in one piece: more than one transfer of USB, less than what may wait for a reader
	var all strings.Builder
	for i := range int16(count) {
		all.WriteString(frame(0x5a, i, -i))
	}
	far.say(all.String())
	for i := range count {
		if got, want := strings.ReplaceAll(s.next().GetJson(), " ", ""),
			fmt.Sprintf(`{"left":%d,"right":%d}`, i, -i); got != want {
			t.Fatalf("read %s, want %s", got, want)
		}
	}
}

// A port belongs to the first program that opens it.
func TestSecondOpener(t *testing.T) {
	requireLab(t)
	b := buildBoard(t)
	far := hearLine(t, boardLine(t, b))
	plugBoard(t, b)
	first := startSerial(t, firstAddress, lineByID)
	first.awaitReady()
	second := startSerial(t, secondAddress, lineByID)
	away := second.awaitAway(lineByID, "another program uses it")
	checkBothWays(t, first, first.read(), far, 3)
	first.stop()
	sameProcess(t, away, second.awaitReady())
	checkBothWays(t, second, second.read(), far, 3)
}
