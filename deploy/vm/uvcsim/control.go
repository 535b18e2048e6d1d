package uvcsim

import (
	"encoding/binary"
	"sync"
)

// setup is the 8-byte header of every control transfer.
type setup struct {
	requestType, request byte
	value, index, length uint16
}

func parseSetup(b [8]byte) setup {
	le := binary.LittleEndian
	return setup{b[0], b[1], le.Uint16(b[2:]), le.Uint16(b[4:]), le.Uint16(b[6:])}
}

// restartsStream reports whether the host stops the stream, by clearing the halt of the bulk endpoint, or starts it,
// by a commit.
func (s setup) restartsStream() bool {
	clearHalt := s.requestType == 0x02 && s.request == 1 && s.index == endpointVideo
	commit := s.requestType == 0x21 && s.request == setCur && s.value>>8 == 2 && s.index == interfaceStreaming
	return clearHalt || commit
}

// Kinds of requests, from bits 7 to 5 of requestType.
const (
	toHost     = 0x80
	kindMask   = 0x60
	kindClass  = 0x20
	kindNormal = 0x00
)

// UVC class requests.
const (
	setCur  = 0x01
	getCur  = 0x81
	getMin  = 0x82
	getMax  = 0x83
	getRes  = 0x84
	getLen  = 0x85
	getInfo = 0x86
	getDef  = 0x87
)

// Range of the brightness control, and its value after power-on.
const (
	BrightnessMin     = 0
	BrightnessMax     = 255
	BrightnessDefault = 128
)

// controls is the state behind endpoint 0: everything that the host can set.
type controls struct {
	mu         sync.Mutex
	setting    setting
	brightness uint16
}

func newControls() *controls {
	return &controls{setting: defaultSetting(), brightness: BrightnessDefault}
}

func (c *controls) current() setting {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.setting
}

// handle answers one control transfer; out is the host's data. It returns the data for the host, at most s.length
// bytes, or false to stall the endpoint, which refuses the transfer.
func (c *controls) handle(s setup, out []byte) ([]byte, bool) {
	answer, ok := c.answer(s, out)
	return answer[:min(len(answer), int(s.length))], ok
}

func (c *controls) answer(s setup, out []byte) ([]byte, bool) {
	switch {
	case s.requestType&kindMask == kindClass:
		return c.class(s, out)
	case s.requestType&kindMask != kindNormal:
		return nil, false
	case s.requestType&toHost == 0: // set configuration, set interface, clear feature: nothing to choose
		return nil, true
	case s.request == 0: // status
		return []byte{0, 0}, true
	case s.request == 6:
		return descriptor(byte(s.value>>8), byte(s.value))
	}
	return nil, false
}

func descriptor(kind, index byte) ([]byte, bool) {
	switch kind {
	case descriptorDevice:
		return deviceDescriptor(), true
	case descriptorConfiguration:
		return configurationDescriptor(), true
	case descriptorString:
		return stringDescriptor(index)
	}
	return nil, false
}

// class answers the requests of UVC: selector is the high byte of value, the unit the high byte of index, the
// interface the low one.
func (c *controls) class(s setup, out []byte) ([]byte, bool) {
	selector, unit, iface := s.value>>8, s.index>>8, s.index&0xFF
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case iface == interfaceStreaming && (selector == 1 || selector == 2): // probe, commit
		return c.negotiate(s.request, out)
	case iface == interfaceControl && unit == unitProcessing && selector == 2:
		return c.setBrightness(s.request, out)
	}
	return nil, false
}

func (c *controls) negotiate(request byte, out []byte) ([]byte, bool) {
	switch request {
	case setCur:
		wanted, ok := parseProbe(out)
		if ok {
			c.setting = wanted
		}
		return nil, ok
	case getCur, getMin, getMax:
		return c.setting.probe(), true
	case getDef:
		return defaultSetting().probe(), true
	case getLen:
		return []byte{probeSize, 0}, true
	case getInfo:
		return []byte{3}, true // can be read and set
	}
	return nil, false
}

func (c *controls) setBrightness(request byte, out []byte) ([]byte, bool) {
	word := func(v uint16) ([]byte, bool) { return binary.LittleEndian.AppendUint16(nil, v), true }
	switch request {
	case setCur:
		if len(out) < 2 || binary.LittleEndian.Uint16(out) > BrightnessMax {
			return nil, false
		}
		c.brightness = binary.LittleEndian.Uint16(out)
		return nil, true
	case getCur:
		return word(c.brightness)
	case getMin:
		return word(BrightnessMin)
	case getMax:
		return word(BrightnessMax)
	case getRes:
		return word(1)
	case getDef:
		return word(BrightnessDefault)
	case getLen:
		return word(2)
	case getInfo:
		return []byte{3}, true
	}
	return nil, false
}
