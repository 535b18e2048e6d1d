package text_test

import (
	"fmt"

	"github.com/waldo-robot/waldo/pkg/text"
)

func ExampleCount() {
	for n := range 3 {
		fmt.Println(text.Count(n, "message was lost", "messages were lost"))
	}
	// Output:
	// 0 messages were lost
	// 1 message was lost
	// 2 messages were lost
}
