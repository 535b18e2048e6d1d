package text

import "fmt"

// Count is how many there are of something, for people: "1 message was lost", "2 messages were lost".
func Count[N int | int64 | uint64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
