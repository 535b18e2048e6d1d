package bus

import (
	"context"
	"encoding/json"
	"fmt"
)

// Account returns the name of the account that the server has put the connection into.
func (c *Conn) Account(ctx context.Context) (string, error) {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	answer, err := c.nc.RequestWithContext(ctx, "$SYS.REQ.USER.INFO", nil)
	if err != nil {
		return "", fmt.Errorf("ask for the account: %w", err)
	}
	var info struct {
		Data struct {
			Account string `json:"account"`
		} `json:"data"`
	}
	if err := json.Unmarshal(answer.Data, &info); err != nil {
		return "", fmt.Errorf("ask for the account: %w", err)
	}
	return info.Data.Account, nil
}
