package padsim

import "fmt"

// Description says what a device is and can do.
type Description struct {
	// Name is the device's name: 1 to 79 bytes.
	Name string
	// Vendor and Product are its USB ids.
	Vendor, Product uint16
	// Keys are the keys and buttons that it has.
	Keys []uint16
	// Repeat makes the kernel repeat a held key, as it does for keyboards.
	Repeat bool
	// Axes are its absolute axes.
	Axes []Axis
	// Moves are its relative axes.
	Moves []uint16
}

// Axis is an absolute axis.
type Axis struct {
	Code             uint16
	Minimum, Maximum int32
	Flat             int32 // values this close to the center count as the center
	Value            int32 // the position when the device is plugged in
}

// Event is one change that a device reports.
type Event struct {
	Type, Code uint16
	Value      int32
}

// Press presses a key.
func Press(key uint16) Event { return Event{evKey, key, 1} }

// Release releases a key.
func Release(key uint16) Event { return Event{evKey, key, 0} }

// Position moves an absolute axis to a position.
func Position(axis uint16, value int32) Event { return Event{evAbs, axis, value} }

// Move moves a relative axis by a distance.
func Move(axis uint16, by int32) Event { return Event{evRel, axis, by} }

// Xbox is a gamepad as presented by the kernel's driver xpad: sticks are symmetric around 0, and triggers rest at 0.
func Xbox() Description {
	d := Description{
		Name: "Waldo Simulated Xbox Pad", Vendor: 0x045e, Product: 0x028e,
		Keys: []uint16{BtnSouth, BtnEast, BtnNorth, BtnWest, BtnTL, BtnTR, BtnSelect, BtnStart, BtnMode, BtnThumbL,
			BtnThumbR},
	}
	for _, stick := range []uint16{AbsX, AbsY, AbsRX, AbsRY} {
		d.Axes = append(d.Axes, Axis{Code: stick, Minimum: -32768, Maximum: 32767, Flat: 128})
	}
	for _, trigger := range []uint16{AbsZ, AbsRZ} {
		d.Axes = append(d.Axes, Axis{Code: trigger, Maximum: 255})
	}
	for _, hat := range []uint16{AbsHat0X, AbsHat0Y} {
		d.Axes = append(d.Axes, Axis{Code: hat, Minimum: -1, Maximum: 1})
	}
	return d
}

// Plain is a cheap gamepad: two sticks that rest at the center of 0 to 255, the second with the codes that other pads
// use for triggers. Like every input device, it is at 0 for the kernel until it has reported something.
func Plain() Description {
	d := Description{
		Name: "Waldo Simulated Plain Pad", Vendor: 0x0079, Product: 0x0006,
		Keys: []uint16{BtnSouth, BtnEast, BtnNorth, BtnWest},
	}
	for _, stick := range []uint16{AbsX, AbsY, AbsZ, AbsRZ} {
		d.Axes = append(d.Axes, Axis{Code: stick, Maximum: 255, Flat: 15})
	}
	return d
}

// Keyboard is a keyboard with only letters.
func Keyboard() Description {
	return Description{Name: "Waldo Simulated Keyboard", Vendor: 0x046d, Product: 0xc31c, Keys: letters(), Repeat: true}
}

// Mouse is a mouse with two buttons and a wheel.
func Mouse() Description {
	return Description{
		Name: "Waldo Simulated Mouse", Vendor: 0x046d, Product: 0xc077,
		Keys: []uint16{BtnLeft, BtnRight}, Moves: []uint16{RelX, RelY, RelWheel},
	}
}

func (d Description) validate() error {
	if n := len(d.Name); n < 1 || n >= nameSize {
		return fmt.Errorf("name: %q has %d bytes: use 1 to %d", d.Name, n, nameSize-1)
	}
	for _, a := range d.Axes {
		if a.Maximum <= a.Minimum {
			return fmt.Errorf("axis %d: %d to %d is empty: raise the maximum", a.Code, a.Minimum, a.Maximum)
		}
	}
	return nil
}
