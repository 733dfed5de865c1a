package spool

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
)

// FuzzSegment reads arbitrary segments. Nothing a file says may make the reader panic, take memory for more than the
// file can hold, or hand out what has no checksum.
func FuzzSegment(f *testing.F) {
	record := appendRecordFrame(nil, recordHeader{id: 7, events: 2, size: 300, created: 5}, []byte(strings.Repeat("abc", 100)))
	ack := appendAckFrame(nil, []uint64{7, 8})
	f.Add([]byte{})
	f.Add(record)
	f.Add(append(append([]byte(nil), record...), ack...))
	f.Add(record[:len(record)-3])
	f.Add(append([]byte(magic+magic+"SEv"), record...))
	huge := append([]byte(nil), record...)
	fillHeader(huge[:headerBytes])
	copy(huge[4:], "\xff\xff\xff\xff")
	f.Add(huge)
	f.Add(appendRecordFrame(nil, recordHeader{id: 1 << 63, events: 1 << 30, size: MaxRecordBytes}, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		last := 0
		damaged, torn := scanFrames(data, func(offset int, body []byte) {
			if offset < last || offset+headerBytes+len(body) > len(data) {
				t.Fatalf("frame at %d with %d bytes after %d in %d", offset, len(body), last, len(data))
			}
			last = offset + headerBytes + len(body)
			again := append(make([]byte, headerBytes), body...)
			if fillHeader(again); !bytes.Equal(again, data[offset:last]) {
				t.Fatalf("frame at %d has no valid checksums", offset)
			}
			h, block, err := parseRecord(body)
			if err != nil {
				return
			}
			if plain, err := unpack(h, block); err == nil && len(plain) != h.size {
				t.Fatalf("record has %d bytes and says %d", len(plain), h.size)
			}
		})
		if torn && damaged == 0 {
			t.Fatal("torn, but not damaged")
		}
	})
}

func TestHostileLengthsTakeNoMemory(t *testing.T) {
	claim := appendRecordFrame(nil, recordHeader{id: 1, events: 1, size: MaxRecordBytes}, []byte("x"))
	// The block says that it unpacks to 8 MiB, and holds next to nothing.
	block := append([]byte(nil), claim[headerBytes+recordHeaderBytes:]...)
	bomb := append([]byte{0x80, 0x80, 0x80, 0x04}, block[1:]...)
	h := recordHeader{id: 1, events: 1, size: MaxRecordBytes}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const rounds = 100
	for range rounds {
		if _, err := unpack(h, append([]byte{0x80, 0x80, 0x80, 0x80, 0x04}, 0)); err == nil {
			t.Fatal("a block that claims 1 GiB was unpacked")
		}
		scanFrames([]byte(strings.Repeat(magic+"\xff\xff\xff\xff", 1000)), func(int, []byte) { t.Fatal("frame in garbage") })
	}
	if _, err := unpack(h, bomb); err == nil {
		t.Error("a block that is too short was unpacked")
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 2*MaxRecordBytes {
		t.Errorf("hostile segments took %d bytes", got)
	}
}
