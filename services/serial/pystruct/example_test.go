package pystruct_test

import (
	"fmt"

	"github.com/waldo-robot/waldo/services/serial/pystruct"
)

func ExampleParse() {
	f, err := pystruct.Parse("<2hB")
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := f.Pack(-100, 100, 7)
	fmt.Printf("% x %v\n", data, err)
	values, err := f.Unpack(data)
	fmt.Println(values, err)

	_, err = f.Pack(-100, 40000, 7)
	fmt.Println(err)
	_, err = pystruct.Parse("<2hZ")
	fmt.Println(err)
	// Output:
	// 9c ff 64 00 07 <nil>
	// [-100 100 7] <nil>
	// values[1] ('h'): 40000 is out of range: use -32768 to 32767
	// struct format "<2hZ": "Z" at offset 3 is not a format character: use one of x c b B ? h H i I l L q Q e f d s p
}

func ExampleFormat_Fields() {
	f, err := pystruct.Parse("bi5s") // native: three bytes of padding before the i
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, field := range f.Fields() {
		fmt.Printf("%c at %d, %d bytes, %v to %v, whole: %v\n", field.Char, field.Offset, field.Size, field.Min,
			field.Max, field.Whole)
	}
	// Output:
	// b at 0, 1 bytes, -128 to 127, whole: true
	// i at 4, 4 bytes, -2.147483648e+09 to 2.147483647e+09, whole: true
	// s at 8, 5 bytes, 0 to 0, whole: false
}
