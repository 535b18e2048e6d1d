package index

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/foxglove/mcap/go/mcap"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// chunkHead is what the body of a chunk begins with.
type chunkHead struct {
	start, end  uint64
	size        uint64 // of the records, decompressed
	crc         uint32 // of the records; 0: unknown
	compression mcap.CompressionFormat
	compressed  int64 // size of the records in the file
	at          int64 // of the records in the body
}

// maxCompression bounds the name of a compression.
const maxCompression = 32

// chunkHeader reads the head of the chunk whose record is at a place.
func (f file) chunkHeader(at, length int64) (chunkHead, error) {
	const fixed = 8 + 8 + 8 + 4 + 4
	head, err := f.body(at, min(length, fixed+maxCompression+8), maxRecord)
	if err != nil {
		return chunkHead{}, err
	}
	l := le{data: head}
	h := chunkHead{start: l.uint64(), end: l.uint64(), size: l.uint64(), crc: l.uint32()}
	name := l.uint32()
	if name > maxCompression {
		return chunkHead{}, fmt.Errorf("the compression of a chunk has a name of %d bytes", name)
	}
	h.compression = mcap.CompressionFormat(l.take(int(name)))
	records := l.uint64()
	h.at = fixed + int64(name) + 8
	if l.bad || records > uint64(length-h.at) {
		return chunkHead{}, errors.New("a chunk is shorter than it says")
	}
	if records > MaxChunk || h.size > MaxChunk {
		return chunkHead{}, fmt.Errorf("a chunk has %d bytes, more than %d", max(records, h.size), MaxChunk)
	}
	h.compressed = int64(records)
	return h, nil
}

// Records returns the records of a chunk, decompressed and with their checksum checked.
func Records(r io.ReaderAt, size int64, c *Chunk) ([]byte, error) {
	f := file{r, size}
	at, length := int64(c.ChunkStartOffset), int64(c.ChunkLength)
	if at < 0 || length < 0 || at > size || length > size-at {
		return nil, errLong
	}
	if c.Bare {
		return f.body(at-HeaderBytes, length, MaxChunk)
	}
	op, body, err := f.header(at)
	if err != nil {
		return nil, err
	}
	if op != mcap.OpChunk {
		return nil, errors.New("the index names a chunk where there is none")
	}
	h, err := f.chunkHeader(at, body)
	if err != nil {
		return nil, err
	}
	return f.records(at, h)
}

func (f file) records(at int64, h chunkHead) ([]byte, error) {
	data := make([]byte, h.compressed)
	if _, err := f.r.ReadAt(data, at+HeaderBytes+h.at); err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	data, err := decompress(h.compression, data, int64(h.size))
	if err != nil {
		return nil, err
	}
	if h.crc != 0 && crc32.ChecksumIEEE(data) != h.crc {
		return nil, errors.New("a chunk is damaged: its checksum is wrong")
	}
	return data, nil
}

// maxWindow bounds the memory that a chunk compressed with zstd asks for before there is data: four times what level 19
// uses.
const maxWindow = 32 << 20

// decoders are used again, as each has large tables.
var decoders = sync.Pool{New: func() any {
	// It fails for bad options only.
	z, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*MaxChunk),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	return z
}}

// decompress returns what has the size that the chunk says. Memory grows with what is really there.
func decompress(by mcap.CompressionFormat, data []byte, size int64) ([]byte, error) {
	var from io.Reader
	switch by {
	case mcap.CompressionNone:
		if int64(len(data)) != size {
			return nil, errors.New("a chunk does not have the size that it says")
		}
		return data, nil
	case mcap.CompressionZSTD:
		z := decoders.Get().(*zstd.Decoder)
		defer decoders.Put(z)
		if err := z.Reset(bytes.NewReader(data)); err != nil {
			return nil, fmt.Errorf("decompress a chunk: %w", err)
		}
		from = z
	case mcap.CompressionLZ4:
		from = lz4.NewReader(bytes.NewReader(data))
	default:
		return nil, fmt.Errorf("the compression %q is not supported: use none, zstd or lz4", string(by))
	}
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(from, size+1))
	if err != nil {
		return nil, fmt.Errorf("decompress a chunk: %w", err)
	}
	if n != size {
		return nil, errors.New("a chunk does not have the size that it says")
	}
	return out.Bytes(), nil
}
