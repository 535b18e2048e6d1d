package linktest

import "time"

// Profile is a network as people have it.
type Profile struct {
	Name string
	// FromRobot is the direction of the pictures, ToRobot that of the commands.
	FromRobot, ToRobot Shape
}

// Profiles are all profiles of this package, from the best to the worst.
func Profiles() []Profile {
	return []Profile{Clean(), OfficeWiFi(), FourG(), CellEdge(), Satellite(), Subway()}
}

// Steady is the profile as it begins, without the changes of its rates.
func (p Profile) Steady() Profile {
	for _, s := range []*Shape{&p.FromRobot, &p.ToRobot} {
		s.Rate, s.Every = s.Rate[:min(1, len(s.Rate))], 0
	}
	return p
}

// both is a profile with directions that differ only in their rates.
func both(name string, s Shape, from, to []Step) Profile {
	p := Profile{Name: name, FromRobot: s, ToRobot: s}
	p.FromRobot.Rate, p.ToRobot.Rate = from, to
	return p
}

// Clean is a wired network: 100 Mbit/s, a round trip of 10 ms.
func Clean() Profile {
	return both("clean", Shape{Delay: 5 * time.Millisecond, Queue: 256 << 10}, Constant(100e6), Constant(100e6))
}

// OfficeWiFi is a busy Wi-Fi: a round trip of 10 ms, and twice a second nothing for 30 to 70 ms. A robot in an office
// saw 8 to 18 % of its packets later than 60 ms with a median below 10 (innate-os, 2026).
func OfficeWiFi() Profile {
	return both("office Wi-Fi", Shape{
		Delay: 4 * time.Millisecond, Jitter: 4 * time.Millisecond, Queue: 128 << 10,
		Stalls: Stalls{Pause: 450 * time.Millisecond, Min: 30 * time.Millisecond, Max: 70 * time.Millisecond},
		Loss:   Loss{Share: 0.002},
	}, Constant(20e6), Constant(20e6))
}

// FourG is a mobile network in a city: WebPageTest's profile "LTE", 12 Mbit/s and a round trip of 70 ms, with the
// uplink of a robot, jitter of a few slots of the scheduler, and rare losses.
func FourG() Profile {
	return both("4G", Shape{
		Delay: 30 * time.Millisecond, Jitter: 10 * time.Millisecond, Queue: 256 << 10, Loss: Loss{Share: 0.002, Burst: 2},
	}, Constant(6e6), Constant(6e6))
}

// CellEdge is a mobile network with bad reception, as RFC 8867 varies capacity (5.1): it falls below a third of what it
// was and comes back, all within 20 s. Losses come in bursts.
func CellEdge() Profile {
	return both("4G, cell's edge", Shape{
		Every: 20 * time.Second, Queue: 96 << 10,
		Delay: 40 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: Loss{Share: 0.01, Burst: 3},
	}, []Step{{0, 2e6}, {5 * time.Second, 1e6}, {9 * time.Second, 600e3}, {14 * time.Second, 1.5e6}}, Constant(1e6))
}

// Satellite is one in a geostationary orbit: 250 ms each way for the path alone, as RFC 2488 computes it (section 2),
// 280 ms with the processing at both ends, and a queue for a round trip.
func Satellite() Profile {
	return both("satellite", Shape{
		Delay: 280 * time.Millisecond, Jitter: 5 * time.Millisecond, Queue: 192 << 10, Loss: Loss{Share: 0.001},
	}, Constant(3e6), Constant(1e6))
}

// Subway is a mobile network in a train: every 20 s it falls from 5 Mbit/s to 300 kbit/s, is away for 2 s in a
// tunnel, and comes back. The base station keeps what is on the way, as far as there is room.
func Subway() Profile {
	rate := []Step{
		{0, 5e6}, {7 * time.Second, 1.5e6}, {10 * time.Second, 300e3}, {13 * time.Second, 0}, {15 * time.Second, 600e3},
		{17 * time.Second, 5e6},
	}
	return both("subway", Shape{
		Every: 20 * time.Second, Delay: 30 * time.Millisecond, Jitter: 15 * time.Millisecond, Queue: 64 << 10,
		Loss: Loss{Share: 0.005, Burst: 2},
	}, rate, rate)
}

// StepDown is the case of a sudden bottleneck: 3 Mbit/s, 0.5 Mbit/s from one moment to another, and 3 Mbit/s again,
// with a round trip of 40 ms and a queue of so many bytes. The jitter, of 2 ms, makes seeds differ.
func StepDown(queue int, down, back time.Duration) Profile {
	return both("3-0.5-3", Shape{Delay: 20 * time.Millisecond, Jitter: 2 * time.Millisecond, Queue: queue},
		[]Step{{0, 3e6}, {down, 500e3}, {back, 3e6}}, Constant(3e6))
}
