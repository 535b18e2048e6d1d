package linktest_test

import (
	"fmt"
	"net"
	"time"

	"github.com/waldo-robot/waldo/pkg/linktest"
)

// A robot is reached through the network of a train.
func ExampleNewProxy() {
	robot, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer robot.Close()
	proxy, err := linktest.NewProxy(robot.LocalAddr().(*net.UDPAddr).AddrPort(), linktest.Subway(), 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Close()
	driver, err := net.Dial("udp4", proxy.Address().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer driver.Close()
	_, _ = driver.Write([]byte("forward"))
	command := make([]byte, 100)
	n, _ := robot.Read(command)
	fmt.Printf("%s\n", command[:n])
	// Output: forward
}

// A line takes packets from wherever the test has them.
func ExampleNewLine() {
	line, err := linktest.NewLine(linktest.Shape{Rate: linktest.Constant(8e6), Delay: 20 * time.Millisecond}, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer line.Close()
	arrived := make(chan string)
	for _, text := range []string{"first", "second"} {
		line.Send([]byte(text), 1000, func(data []byte) { arrived <- string(data) })
	}
	fmt.Println(<-arrived)
	fmt.Println(<-arrived)
	// Output:
	// first
	// second
}
