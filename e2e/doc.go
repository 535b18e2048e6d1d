// Package e2e tests Waldo as a whole: the real programs, a real NATS server, real Chromium and Firefox, and clients in
// other languages. `make test` builds what it needs and runs it. Package harness explains how.
package e2e
