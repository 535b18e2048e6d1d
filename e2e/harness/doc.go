// Package harness runs Waldo as its users do: the real programs from the folder named by WALDO_BIN, a real NATS
// server, and real Chromium. The tests and benchmarks of this module use it.
//
// A [Robot] is `waldo up` with a robot.yaml; a [Process] is any program; a [Browser] is Chromium, and a [Page] one tab
// of it. Everything ends with the test that started it. A failed test shows the output of its programs.
package harness
