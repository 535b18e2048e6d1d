package e2e

import (
	"testing"

	"golang.org/x/sys/cpu"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// ciphers are what the page's connection has agreed on, and whether the browser is the DTLS client.
const ciphers = `(async () => {
  const stats = [...(await peers.at(-1).getStats()).values()];
  const transport = stats.find((s) => s.type === 'transport');
  return { cipher: transport.srtpCipher, role: transport.dtlsRole };
})()`

// TestGatewayChoosesTheCipher: the gateway chooses how media is encrypted, and chooses what costs it least.
func TestGatewayChoosesTheCipher(t *testing.T) {
	want := "SRTP_AEAD_AES_256_GCM"
	if !cpu.X86.HasAES && !cpu.ARM64.HasAES {
		want = "SRTP_AES128_CM_SHA1_80"
	}
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	page.Tile(t, "front").WaitFrames(t, 10)
	type agreed struct{ Cipher, Role string }
	if got := harness.Eval[agreed](t, page, ciphers); got.Cipher != want || got.Role != "client" {
		t.Errorf("Chromium is %s and uses %s, want %s", got.Role, got.Cipher, want)
	}
	firefox := harness.StartFirefox(t)
	firefox.Open(t, robot.URL)
	firefox.Until(t, shows)
	var got agreed // Firefox does not tell the cipher
	if firefox.Eval(t, ciphers, &got); got.Role != "client" {
		t.Errorf("Firefox is %s: it chooses the cipher", got.Role)
	}
}
