package read

import "sync"

// badChunks are those that could not be read.
type badChunks struct {
	mu    sync.Mutex
	known map[uint64]error // by place
	tell  func(error)
}

// WatchDamage has do called once for each chunk that cannot be read, when somebody wants to read it, or did before. Do
// must not read the file.
func (f *File) WatchDamage(do func(error)) {
	f.bad.mu.Lock()
	defer f.bad.mu.Unlock()
	f.bad.tell = do
	for _, err := range f.bad.known {
		do(err)
	}
}

func (b *badChunks) add(at uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known[at] != nil {
		return
	}
	if b.known == nil {
		b.known = map[uint64]error{}
	}
	b.known[at] = err
	if b.tell != nil {
		b.tell(err)
	}
}
