package pystruct_test

import "testing"

// twentyBytes is a message as a board might send it, with ten values.
const twentyBytes = "<hhffBBBBHH"

// BenchmarkUnpack counts what one message costs to unpack; the allocations are the list and its values.
func BenchmarkUnpack(b *testing.B) {
	for _, format := range []string{twentyBytes, "20s", "<10e"} {
		f := parse(b, format)
		data := make([]byte, f.Size())
		for i := range data {
			data[i] = byte(i + 60)
		}
		b.Run(format, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Unpack(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAppendPack packs into the same bytes again and again, as a writer of commands does.
func BenchmarkAppendPack(b *testing.B) {
	f := parse(b, twentyBytes)
	values := []any{int64(-300), int64(300), 0.5, -1e3, int64(1), int64(2), int64(3), int64(4), int64(50000),
		int64(60000)}
	dst := make([]byte, 0, f.Size())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.AppendPack(dst, values); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		parse(b, twentyBytes)
	}
}
