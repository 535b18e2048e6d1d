package playout

import (
	"math"
	"math/rand/v2"
	"testing"

	"gopkg.in/hraban/opus.v2"

	"github.com/waldo-robot/waldo/pkg/tonetest"
)

// decodeLossy brings packets through the jitter buffer and the decoder, as the mixer does, but without a clock. Those
// in lost do not arrive.
func decodeLossy(t testing.TB, packets [][]byte, lost map[int]bool) []float32 {
	w := newWorld(t, Config{MaxTalk: -1})
	s := &sender{name: "a", epoch: 1, packets: packets}
	for range 5 {
		w.Receive(s.frame())
	}
	r := w.the()
	r.waiting, r.gain = false, 1
	var heard []float32
	for i := range len(packets) - 10 {
		if f := s.frame(); !lost[i+5] {
			w.Receive(f)
		}
		r.advance()
		heard = append(heard, r.pending...)
	}
	return heard
}

// segmentalSNR is the mean signal to noise ratio in dB of pieces of 20 ms, each within -10 to 35 dB; silence is left
// out.
func segmentalSNR(reference, heard []float32) float64 {
	sum, count := 0.0, 0
	for i := 0; i+960 <= min(len(reference), len(heard)); i += 960 {
		var signal, noise float64
		for j := i; j < i+960; j++ {
			d := float64(heard[j] - reference[j])
			signal += float64(reference[j]) * float64(reference[j])
			noise += d * d
		}
		if signal < 960e-6 {
			continue
		}
		sum += min(max(10*math.Log10(signal/(noise+1e-12)), -10), 35)
		count++
	}
	return sum / float64(count)
}

// spectralDistance is by how many dB the spectra of pieces of 20 ms differ, in the mean of bands up to 4 kHz and down
// to -60 dBFS: what is heard as another sound, where the noise measures what is another curve.
func spectralDistance(reference, heard []float32) float64 {
	sum, count := 0.0, 0
	for i := 0; i+960 <= min(len(reference), len(heard)); i += 960 {
		if rms(reference[i:i+960]) < 1e-3 {
			continue
		}
		for hz := 150.0; hz < 4000; hz *= 1.2 {
			sum += math.Abs(band(reference[i:i+960], hz) - band(heard[i:i+960], hz))
			count++
		}
	}
	return sum / float64(count)
}

// band is how loud samples are around a frequency, in dBFS, at least -60.
func band(samples []float32, hz float64) float64 {
	var sin, cos float64
	for i, s := range samples {
		window := 1 - math.Cos(2*math.Pi*float64(i)/float64(len(samples)))
		sin += window * float64(s) * math.Sin(2*math.Pi*hz*float64(i)/48000)
		cos += window * float64(s) * math.Cos(2*math.Pi*hz*float64(i)/48000)
	}
	return max(20*math.Log10(2*math.Hypot(sin, cos)/float64(len(samples))), -60)
}

// TestConcealmentIsBetterThanSilence measures what the copies in later packets, and what the decoder makes up, are
// worth at 5 % random loss.
func TestConcealmentIsBetterThanSilence(t *testing.T) {
	t.Parallel()
	voice := tonetest.Speech(30)
	withCopies := encode(t, voice, opus.AppVoIP, 24000, true)
	without := encode(t, voice, opus.AppVoIP, 24000, false)
	random := rand.New(rand.NewPCG(5, 6))
	lost := map[int]bool{}
	for i := range withCopies {
		if i > 10 && random.Float64() < 0.05 {
			lost[i] = true
		}
	}
	// What is heard of the lost packets alone says most: everything else is nearly the same.
	measure := func(packets [][]byte, silent bool) (all, gaps, spectrum float64) {
		reference := decodeLossy(t, packets, nil)
		heard := decodeLossy(t, packets, lost)
		var wanted, got []float32
		for i := range len(heard) / 960 {
			if !lost[i] {
				continue
			}
			part := heard[i*960 : (i+1)*960]
			if silent {
				clear(part)
			}
			wanted, got = append(wanted, reference[i*960:(i+1)*960]...), append(got, part...)
		}
		return segmentalSNR(reference, heard), segmentalSNR(wanted, got), spectralDistance(wanted, got)
	}
	fec, fecGaps, fecSpectrum := measure(withCopies, false)
	plc, plcGaps, plcSpectrum := measure(without, false)
	off, offGaps, offSpectrum := measure(without, true)
	t.Logf("%d of %d packets lost; against the same without loss, segmental SNR of all and of the lost packets only, "+
		"spectral distance of these: "+
		"FEC and PLC %.1f dB, %.1f dB, %.1f dB; PLC %.1f dB, %.1f dB, %.1f dB; silence %.1f dB, %.1f dB, %.1f dB",
		len(lost), len(withCopies), fec, fecGaps, fecSpectrum, plc, plcGaps, plcSpectrum, off, offGaps, offSpectrum)
	if fec < off+1.5 || fecGaps < plcGaps+6 || fecSpectrum > plcSpectrum-2 {
		t.Error("the copies are not worth it")
	}
	if plcSpectrum > offSpectrum-5 {
		t.Error("what the decoder makes up is not worth it")
	}
}

func TestCarriesCopy(t *testing.T) {
	count := func(packets [][]byte) (n int) {
		for _, p := range packets {
			if carriesCopy(p) {
				n++
			}
		}
		return n
	}
	voice := tonetest.Speech(5)
	if n := count(encode(t, voice, opus.AppVoIP, 24000, true)); n < 150 {
		t.Errorf("%d of 250 packets with FEC carry a copy", n)
	}
	if n := count(encode(t, voice, opus.AppVoIP, 24000, false)); n != 0 {
		t.Errorf("%d of 250 packets without FEC carry a copy", n)
	}
	if n := count(tone(t)); n != 0 {
		t.Errorf("%d packets of CELT carry a copy", n)
	}
	for _, data := range [][]byte{nil, {0}, {2, 255}, {2, 1}, {3, 1, 255}, {255, 255}, {2, 252, 0}} {
		if carriesCopy(data) {
			t.Errorf("%v: carries a copy", data)
		}
	}
}
