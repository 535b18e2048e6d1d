package write

// CreateOn begins a file whose bytes go to something else than a disk.
func CreateOn(out output, c Config) (*File, error) {
	f, err := begin("x.mcap", out, Head{}, c)
	if err == nil {
		f.start()
	}
	return f, err
}

// Complete is Close without giving the file its name.
func (f *File) Complete() error {
	if !f.stop() {
		return ErrClosed
	}
	return f.disk.complete()
}
