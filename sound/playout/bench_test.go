package playout

import (
	"fmt"
	"testing"
	"time"

	"gopkg.in/hraban/opus.v2"

	"github.com/waldo-robot/waldo/pkg/tonetest"
)

// BenchmarkRead plays a second of sound, in blocks of 10 ms, with so many talkers and so much loss.
func BenchmarkRead(b *testing.B) {
	packets := encode(b, tonetest.Speech(10), opus.AppVoIP, 24000, true)
	for _, talkers := range []int{0, 1, 8} {
		for _, loss := range []int{0, 5} {
			if talkers == 0 && loss > 0 {
				continue
			}
			b.Run(fmt.Sprintf("talkers=%d/loss=%d%%", talkers, loss), func(b *testing.B) {
				w := newWorld(b, Config{MaxTalk: -1})
				var senders []*sender
				for i := range talkers {
					senders = append(senders, &sender{name: fmt.Sprint(i), epoch: 1, packets: packets})
				}
				w.play(2*time.Second, senders...)
				block := make([]float32, 480)
				for b.Loop() {
					for i := range 100 {
						for _, s := range senders[:len(senders)*(1-i%2)] {
							if f := s.frame(); s.sequence%20 != 0 || loss == 0 {
								w.Receive(f)
							}
						}
						w.Read(block)
						w.now = w.now.Add(10 * time.Millisecond)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e7, "%core")
			})
		}
	}
}

// BenchmarkReceive takes a packet of a talker who is known, and of one who is not.
func BenchmarkReceive(b *testing.B) {
	packets := tone(b)
	b.Run("known", func(b *testing.B) {
		w := newWorld(b, Config{MaxTalk: -1})
		s := &sender{name: "a", epoch: 1, packets: packets}
		for b.Loop() {
			w.now = w.now.Add(20 * time.Millisecond)
			w.Receive(s.frame())
		}
	})
	b.Run("new", func(b *testing.B) {
		w := newWorld(b, Config{})
		s := &sender{name: "a", packets: packets}
		for b.Loop() {
			w.now = w.now.Add(2 * giveUp)
			s.epoch++
			w.Receive(s.frame())
		}
	})
}
