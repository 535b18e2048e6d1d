// Package harness runs Waldo as its users do: the real programs from the folder named by WALDO_BIN, a real NATS server,
// and real Chromium. Tests and benchmarks of this module are written with it.
//
// A [Robot] is `waldo up` with a robot.yaml; a [Process] is any program; a [Browser] is Chromium, and a [Page] one tab
// of it. What is started ends with the test that started it. Output of the programs is shown when the test fails.
package harness
