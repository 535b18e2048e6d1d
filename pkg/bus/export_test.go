package bus

// Handled reports whether NATS's first callback has run.
func Handled(c *ConnCloser) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handled
}

// The callbacks of NATS, for tests that have them come late.
func LateConnect(c *ConnCloser)                 { c.connected(c.nc) }
func LateDisconnect(c *ConnCloser, err error)   { c.disconnected(err) }
func LateComplaint(c *ConnCloser, err error)    { c.complain("test", err) }
func Refusal(text string) (_, _ string, _ bool) { return refusal(text) }
func TokenID(token string) (string, bool)       { return tokenID(token) }
