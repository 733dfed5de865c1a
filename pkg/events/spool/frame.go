package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/s2"
)

// A segment is a row of frames:
//
//	magic   4 bytes
//	length  uint32, of the body
//	check   uint32, CRC-32C of the 8 bytes before
//	check   uint32, CRC-32C of the body
//	body    its first byte is the kind
//
// All numbers are little-endian. The header has a checksum of its own so that its length can be trusted when the body is
// damaged; where the header is damaged too, the next magic is looked for. Either way a segment is read in one pass.
const (
	magic       = "SEv1"
	headerBytes = 16

	// kindRecord is followed by the ID (uint64), number of events (uint32), size of the data (uint32), time in Unix
	// milliseconds (int64) and the data as an S2 block.
	kindRecord        = 1
	recordHeaderBytes = 1 + 8 + 4 + 4 + 8
	// kindAck is followed by the IDs (uint64) of records that are no longer wanted.
	kindAck = 2

	// maxFrameBytes is larger than any frame of a record.
	maxFrameBytes = MaxRecordBytes + MaxRecordBytes/4
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errDamaged = errors.New("record is damaged")
)

// recordHeader is what a record's frame says before its data.
type recordHeader struct {
	id      uint64
	events  int
	size    int
	created int64 // Unix milliseconds
}

// appendRecordFrame appends the frame of a record.
func appendRecordFrame(dst []byte, h recordHeader, data []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, headerBytes)...)
	dst = append(dst, kindRecord)
	dst = binary.LittleEndian.AppendUint64(dst, h.id)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.events))  //nolint:gosec // bounded by the size of the data
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.size))    //nolint:gosec // bounded by MaxRecordBytes
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.created)) //nolint:gosec // its bits
	room := s2.MaxEncodedLen(len(data))
	dst = append(dst, make([]byte, room)...)
	block := s2.Encode(dst[len(dst)-room:], data)
	dst = dst[:len(dst)-room+len(block)]
	fillHeader(dst[start:])
	return dst
}

// appendAckFrame appends the frame that ends the life of records.
func appendAckFrame(dst []byte, ids []uint64) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, headerBytes)...)
	dst = append(dst, kindAck)
	for _, id := range ids {
		dst = binary.LittleEndian.AppendUint64(dst, id)
	}
	fillHeader(dst[start:])
	return dst
}

// fillHeader completes the header of a frame whose body is in place.
func fillHeader(frame []byte) {
	body := frame[headerBytes:]
	copy(frame, magic)
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(body))) //nolint:gosec // bounded by maxFrameBytes
	binary.LittleEndian.PutUint32(frame[8:], crc32.Checksum(frame[:8], castagnoli))
	binary.LittleEndian.PutUint32(frame[12:], crc32.Checksum(body, castagnoli))
}

// bodyLength returns the length of the body of the frame that begins data, if a frame begins there.
func bodyLength(data []byte) (length int, isFrame bool) {
	if len(data) < headerBytes || string(data[:4]) != magic {
		return 0, false
	}
	if binary.LittleEndian.Uint32(data[8:]) != crc32.Checksum(data[:8], castagnoli) {
		return 0, false
	}
	return int(binary.LittleEndian.Uint32(data[4:])), true
}

// frameBody returns the body of the frame that begins data, if all of it is there and sound.
func frameBody(data []byte) (body []byte, isSound bool) {
	length, isFrame := bodyLength(data)
	if !isFrame || length > len(data)-headerBytes {
		return nil, false
	}
	body = data[headerBytes : headerBytes+length]
	return body, binary.LittleEndian.Uint32(data[12:]) == crc32.Checksum(body, castagnoli)
}

// scanFrames calls visit with each sound frame's place and body. It skips what it cannot read, and returns how many
// stretches that were; torn is true when the last of them reaches to the end.
func scanFrames(data []byte, visit func(offset int, body []byte)) (damaged int, torn bool) {
	skipping := false
	skip := func() {
		if !skipping {
			damaged++
		}
		skipping = true
	}
	for pos := 0; pos < len(data); {
		rest := data[pos:]
		length, isFrame := bodyLength(rest)
		switch body, isSound := frameBody(rest); {
		case isSound:
			visit(pos, body)
			skipping = false
			pos += headerBytes + length
		case isFrame && length <= len(rest)-headerBytes:
			skip()
			pos += headerBytes + length
		default:
			skip()
			next := bytes.Index(rest[1:], []byte(magic))
			if next < 0 {
				return damaged, true
			}
			pos += 1 + next
		}
	}
	return damaged, skipping
}

// parseRecord reads the body of a record's frame up to its data.
func parseRecord(body []byte) (h recordHeader, block []byte, err error) {
	if len(body) < recordHeaderBytes || body[0] != kindRecord {
		return recordHeader{}, nil, errDamaged
	}
	h = recordHeader{
		id:      binary.LittleEndian.Uint64(body[1:]),
		events:  int(binary.LittleEndian.Uint32(body[9:])),
		size:    int(binary.LittleEndian.Uint32(body[13:])),
		created: int64(binary.LittleEndian.Uint64(body[17:])), //nolint:gosec // any bits are a time
	}
	// An event takes at least a byte; so the size also bounds what a forged number of events adds to the counts.
	if h.size > MaxRecordBytes || h.events > h.size {
		return recordHeader{}, nil, fmt.Errorf("%w: it claims %d events in %d bytes", errDamaged, h.events, h.size)
	}
	return h, body[recordHeaderBytes:], nil
}

// unpack returns the data of a record. The block's own claim about its size is checked before memory is taken for it.
func unpack(h recordHeader, block []byte) ([]byte, error) {
	size, err := s2.DecodedLen(block)
	if err != nil || size != h.size {
		return nil, errDamaged
	}
	data, err := s2.Decode(nil, block)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return data, nil
}

// forEachAck calls visit with each ID in the body of an acknowledgement.
func forEachAck(body []byte, visit func(id uint64)) {
	for ids := body[1:]; len(ids) >= 8; ids = ids[8:] {
		visit(binary.LittleEndian.Uint64(ids))
	}
}
