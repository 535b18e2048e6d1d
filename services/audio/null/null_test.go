package null

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/services/audio/card"
	"github.com/waldo-robot/waldo/services/audio/card/cardtest"
	"github.com/waldo-robot/waldo/services/audio/pcm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	f := pcm.Format{Rate: 48000, Channels: 2}
	cardtest.Run(t, f, func(*testing.T) card.Card { return Open(f, 0) })
}
