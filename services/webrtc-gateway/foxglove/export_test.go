package foxglove

import "time"

// SetPatience changes how long a client may take for one message. It is for use before there are clients.
func (g *Gateway) SetPatience(d time.Duration) { g.patience = d }
