package index_test

import (
	"bytes"
	"testing"

	"github.com/waldo-robot/waldo/recording/index"
)

// spoiledTwice returns a recording whose first chunk and index are damaged, both at a byte counted from where they end.
func spoiledTwice(t testing.TB, data []byte, chunk, summary int) []byte {
	t.Helper()
	first := load(t, data).Chunks[0]
	spoiled := bytes.Clone(data)
	spoiled[int(first.ChunkStartOffset+first.ChunkLength)-chunk] ^= 0x5a
	spoiled[len(data)-summary] ^= 0x5a
	return spoiled
}

// TestDefinitionsDamaged: channels that are defined in a damaged chunk and in a damaged index only are known
// nevertheless, so that the messages of all other chunks are found.
func TestDefinitionsDamaged(t *testing.T) {
	data := whole(t)
	x := load(t, data)
	first := x.Chunks[0]
	records := int(first.UncompressedSize)
	for name, spoiled := range map[string][]byte{
		"the end of the chunk, and the checksum of the index":      spoiledTwice(t, data, 1, 10),
		"the end of the chunk, and the middle of the index":        spoiledTwice(t, data, 1, (len(data)-int(x.End))/2),
		"the end of the chunk, and the definitions in the index":   spoiledTwice(t, data, 1, len(data)-int(x.End)-20),
		"the first record of the chunk, and the end of the index":  spoiledTwice(t, data, records, 10),
		"a length in the chunk, and the end of the index":          spoiledTwice(t, data, records-4, 10),
		"the end of the chunk, and there is no index":              spoiledTwice(t, data[:x.End:x.End], 1, 1)[:x.End-1],
		"the end of the chunk, and the file ends in another chunk": cut(t, data, int(x.Chunks[5].ChunkStartOffset)+20),
	} {
		y := load(t, spoiled)
		if y.Indexed || y.Damage == nil {
			t.Errorf("%s: by the index: %v, %v", name, y.Indexed, y.Damage)
		}
		for id, c := range x.Channels {
			if d := y.Channels[id]; d == nil || d.Topic != c.Topic || y.Schemas[d.SchemaID] == nil ||
				!bytes.Equal(y.Schemas[d.SchemaID].Data, x.Schemas[c.SchemaID].Data) {
				t.Errorf("%s: channel %d: %+v", name, id, d)
			}
		}
		if _, err := index.Records(bytes.NewReader(spoiled), int64(len(spoiled)), y.Chunks[0]); err == nil {
			t.Errorf("%s: the damaged chunk can be read", name)
		}
	}
}

// cut returns the beginning of a recording with a damaged first chunk.
func cut(t testing.TB, data []byte, at int) []byte {
	return spoiledTwice(t, data, 1, 1)[:at]
}
