package stream

import "context"

// Blocks reads blocks of any size and returns blocks of one size, for example sound in a codec's frame
// size. It has one reader at a time.
type Blocks[E any] struct {
	from Reader[[]E]
	size int
	tail []E // of the block that was read last; shared with its publisher
	part []E // a block that is not full yet; our own
}

// Rebatch returns blocks of size elements, at least 1. For interleaved channels, size must be a multiple
// of their number.
func Rebatch[E any](from Reader[[]E], size int) *Blocks[E] {
	return &Blocks[E]{from: from, size: max(size, 1)}
}

// Next returns the next size elements. A block that lies entirely in one that was read is a slice of it
// and not copied: treat it as read-only. Others are the caller's. An error is that of the source, or of
// ctx once that has ended; it loses nothing: see [Blocks.Rest].
func (b *Blocks[E]) Next(ctx context.Context) ([]E, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if block := b.cut(); block != nil {
			return block, nil
		}
		next, err := b.from.Next(ctx)
		if err != nil {
			return nil, err
		}
		b.tail = next
	}
}

// Rest returns the elements that have been read but do not fill a block, fewer than size, and forgets them.
func (b *Blocks[E]) Rest() []E {
	rest := b.part
	b.part = nil
	return rest
}

// cut takes a block from the elements read; if there are too few it returns nil, and part holds all of them.
func (b *Blocks[E]) cut() []E {
	if len(b.part) == 0 && len(b.tail) >= b.size {
		block := b.tail[:b.size:b.size]
		b.tail = b.tail[b.size:]
		return block
	}
	if b.part == nil && len(b.tail) > 0 {
		b.part = make([]E, 0, b.size)
	}
	n := min(b.size-len(b.part), len(b.tail))
	b.part, b.tail = append(b.part, b.tail[:n]...), b.tail[n:]
	if len(b.part) < b.size {
		b.tail = nil // so that the garbage collector can have it
		return nil
	}
	return b.Rest()
}
