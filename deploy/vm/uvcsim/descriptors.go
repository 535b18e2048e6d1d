package uvcsim

import "encoding/binary"

// Numbers of the USB and UVC standards that are used in more than one place.
const (
	descriptorDevice        = 1
	descriptorConfiguration = 2
	descriptorString        = 3

	interfaceControl   = 0
	interfaceStreaming = 1

	unitProcessing = 2
	endpointVideo  = 0x81

	clockHz = 48_000_000
)

// Identity of the camera, as shown by `lsusb` and /dev/v4l/by-id.
const (
	VendorID     = 0x1209 // shared by open projects
	ProductID    = 0x0001 // reserved for private tests
	Manufacturer = "Waldo"
	Product      = "Simulated Camera"
	Serial       = "WALDO0001"
)

// Size of a picture in pixels.
type Size struct{ Width, Height int }

// Sizes returns the sizes that the camera offers, the default first.
func Sizes() []Size { return []Size{{640, 480}, {640, 360}, {320, 240}} }

// intervals returns the offered times between two pictures in units of 100 ns, shortest first: 30, 15 and 10 Hz.
func intervals() []uint32 { return []uint32{333_333, 666_666, 1_000_000} }

func deviceDescriptor() []byte {
	d := []byte{18, descriptorDevice,
		0x00, 0x02, // USB 2.0
		0xEF, 2, 1, // functions are described by interface associations
		64,         // bytes in a packet of endpoint 0
		0, 0, 0, 0, // vendor, product
		0x00, 0x01, // release 1.0
		1, 2, 3, // strings: manufacturer, product, serial
		1, // configurations
	}
	binary.LittleEndian.PutUint16(d[8:], VendorID)
	binary.LittleEndian.PutUint16(d[10:], ProductID)
	return d
}

// configurationDescriptor returns the whole tree: one video function with a control and a streaming interface.
func configurationDescriptor() []byte {
	video := streamingClassDescriptors()
	d := []byte{9, descriptorConfiguration, 0, 0, 2, 1, 0, 0x80, 250}
	d = append(d, 8, 11, interfaceControl, 2, 0x0E, 3, 0, 2)     // association: 2 interfaces of class video
	d = append(d, 9, 4, interfaceControl, 0, 0, 0x0E, 1, 0, 2)   // control: no endpoint
	d = append(d, controlClassDescriptors()...)                  //
	d = append(d, 9, 4, interfaceStreaming, 0, 1, 0x0E, 2, 0, 0) // streaming: one endpoint
	d = append(d, video...)                                      //
	d = append(d, 7, 5, endpointVideo, 2, 0x00, 0x02, 0)         // bulk, 512 bytes in a packet
	binary.LittleEndian.PutUint16(d[2:], uint16(len(d)))
	return d
}

// controlClassDescriptors returns the units, camera terminal 1 → processing unit 2 (brightness) → output terminal 3.
func controlClassDescriptors() []byte {
	d := []byte{
		13, 0x24, 1, 0x10, 0x01, 0, 0, 0, 0, 0, 0, 1, interfaceStreaming, // header, UVC 1.1
		18, 0x24, 2, 1, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, // camera terminal without controls
		12, 0x24, 5, unitProcessing, 1, 0, 0, 2, 0x01, 0x00, 0, 0, // processing unit
		9, 0x24, 3, 3, 0x01, 0x01, 0, unitProcessing, 0, // output terminal to USB
	}
	binary.LittleEndian.PutUint16(d[5:], uint16(len(d)))
	binary.LittleEndian.PutUint32(d[7:], clockHz)
	return d
}

// streamingClassDescriptors returns the only format, Motion JPEG, and its sizes.
func streamingClassDescriptors() []byte {
	d := []byte{14, 0x24, 1, 1, 0, 0, endpointVideo, 0, 3, 0, 0, 0, 1, 0}
	d = append(d, 11, 0x24, 6, 1, byte(len(Sizes())), 1, 1, 0, 0, 0, 0)
	for i, s := range Sizes() {
		d = append(d, frameDescriptor(byte(i+1), s)...)
	}
	d = append(d, 6, 0x24, 13, 1, 1, 4) // colors: BT.709 primaries and transfer, BT.601 matrix
	binary.LittleEndian.PutUint16(d[4:], uint16(len(d)))
	return d
}

func frameDescriptor(index byte, s Size) []byte {
	le := binary.LittleEndian
	d := []byte{0, 0x24, 7, index, 0}
	d = le.AppendUint16(d, uint16(s.Width))
	d = le.AppendUint16(d, uint16(s.Height))
	d = le.AppendUint32(d, maxFrameSize(s)*8*10) // bit/s at 10 Hz
	d = le.AppendUint32(d, maxFrameSize(s)*8*30) // bit/s at 30 Hz
	d = le.AppendUint32(d, maxFrameSize(s))
	d = le.AppendUint32(d, intervals()[0])
	d = append(d, byte(len(intervals())))
	for _, v := range intervals() {
		d = le.AppendUint32(d, v)
	}
	d[0] = byte(len(d))
	return d
}

// maxFrameSize is the space the host reserves for one picture: 8 bits per pixel, more than JPEG takes.
func maxFrameSize(s Size) uint32 { return uint32(s.Width * s.Height) }

// stringDescriptor returns text i, or false if there is none. Number 0 lists the languages: US English.
func stringDescriptor(i byte) ([]byte, bool) {
	texts := []string{"\u0409", Manufacturer, Product, Serial}
	if int(i) >= len(texts) {
		return nil, false
	}
	d := []byte{0, descriptorString}
	for _, r := range texts[i] {
		d = binary.LittleEndian.AppendUint16(d, uint16(r))
	}
	d[0] = byte(len(d))
	return d, true
}
