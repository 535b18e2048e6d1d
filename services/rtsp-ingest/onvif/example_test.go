package onvif_test

import (
	"context"
	"fmt"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/onvif"
)

func ExampleDiscover() {
	found, err := onvif.Discover(context.Background(), onvif.Search{Wait: 3 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range found {
		fmt.Println(f.Address, f.Name)
	}
}
