package wire

import "google.golang.org/protobuf/encoding/protowire"

// Option is the number of an option, which is that of its field too.
type Option = protowire.Number

// Options that are asked for.
const (
	OptionBattery    Option = 11
	OptionLocalTime  Option = 12
	OptionTimeZone   Option = 13
	OptionSerial     Option = 15
	OptionUUID       Option = 16
	OptionStorage    Option = 20
	OptionFirmware   Option = 30
	OptionCameraType Option = 48
)

// Battery is the state of the battery.
type Battery struct {
	Type         int32 // of the power: 0 battery, 1 adapter
	Level, Scale int32
}

// Marshal returns the message.
func (s Battery) Marshal() []byte {
	return number(number(number(nil, 1, s.Type), 2, s.Level), 3, s.Scale)
}

// ParseBattery reads the state of the battery: the option, or a notification, where some models wrap it.
func ParseBattery(b []byte) (s Battery, err error) {
	err = unwrapped(b, func(f field) {
		switch f.number {
		case 1:
			s.Type = f.int()
		case 2:
			s.Level = f.int()
		case 3:
			s.Scale = f.int()
		}
	})
	return s, err
}

// Storage is the state of the memory card.
type Storage struct {
	State       int32 // 0 usable, 1 no card, 2 full, 3 wrong format, 4 write-protected, 5 another error
	Free, Total int64 // bytes; in a notification, field 2 is the location of the card instead
}

// Marshal returns the message.
func (s Storage) Marshal() []byte {
	return number(number(number(nil, 1, s.State), 2, s.Free), 3, s.Total)
}

// ParseStorage reads the state of the card.
func ParseStorage(b []byte) (s Storage, err error) {
	err = fields(b, func(f field) error {
		switch f.number {
		case 1:
			s.State = f.int()
		case 2:
			s.Free = int64(f.varint)
		case 3:
			s.Total = int64(f.varint)
		}
		return nil
	})
	return s, err
}

// Options are settings of the camera and what it tells about itself. Nil messages were not there.
type Options struct {
	Battery    *Battery
	LocalTime  int64 // seconds since 1970
	TimeZone   int32 // seconds ahead of UTC
	Serial     string
	UUID       string
	Storage    *Storage
	Firmware   string
	CameraType string
}

// marshal returns the options that are set.
func (o Options) marshal() (b []byte) {
	if o.Battery != nil {
		b = message(b, OptionBattery, o.Battery.Marshal())
	}
	b = number(b, OptionLocalTime, o.LocalTime)
	b = zigzag(b, OptionTimeZone, o.TimeZone)
	b = text(b, OptionSerial, o.Serial)
	b = text(b, OptionUUID, o.UUID)
	if o.Storage != nil {
		b = message(b, OptionStorage, o.Storage.Marshal())
	}
	b = text(b, OptionFirmware, o.Firmware)
	return text(b, OptionCameraType, o.CameraType)
}

// take reads one field.
func (o *Options) take(f field) error {
	switch f.number {
	case OptionLocalTime:
		o.LocalTime = int64(f.varint)
	case OptionTimeZone:
		o.TimeZone = int32(protowire.DecodeZigZag(f.varint))
	}
	if f.bytes == nil {
		return nil
	}
	switch f.number {
	case OptionBattery:
		s, err := ParseBattery(f.bytes)
		o.Battery = &s
		return err
	case OptionStorage:
		s, err := ParseStorage(f.bytes)
		o.Storage = &s
		return err
	case OptionSerial:
		o.Serial = plain(f.bytes)
	case OptionUUID:
		o.UUID = plain(f.bytes)
	case OptionFirmware:
		o.Firmware = plain(f.bytes)
	case OptionCameraType:
		o.CameraType = plain(f.bytes)
	}
	return nil
}

// WantOptions returns the message of GetOptions.
func WantOptions(types ...Option) (b []byte) {
	if len(types) == 0 {
		return nil
	}
	for _, t := range types {
		b = protowire.AppendVarint(b, uint64(t))
	}
	return message(nil, 1, b)
}

// MarshalOptions returns the message of SetOptions, which is also the answer to GetOptions: which options, and their
// values.
func MarshalOptions(o Options, types ...Option) []byte {
	return message(WantOptions(types...), 2, o.marshal())
}

// ParseOptions reads the message of GetOptions or SetOptions, or the answer to GetOptions.
func ParseOptions(b []byte) (types []Option, o Options, err error) {
	err = fields(b, func(f field) error {
		switch {
		case f.number == 1 && f.bytes == nil:
			types = append(types, Option(f.varint))
		case f.number == 1:
			return packed(f.bytes, &types)
		case f.number == 2 && f.bytes != nil:
			return fields(f.bytes, o.take)
		}
		return nil
	})
	return types, o, err
}

// packed reads a repeated number in its short form.
func packed(b []byte, into *[]Option) error {
	for len(b) > 0 {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return ErrMessage
		}
		*into, b = append(*into, Option(v)), b[n:]
	}
	return nil
}
