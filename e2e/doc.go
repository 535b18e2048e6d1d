// Package e2e tests Waldo whole: the real programs, a real NATS server, real Chromium and Firefox, and clients in other
// languages. `make test` builds what it needs and runs it. See package harness for how.
package e2e
