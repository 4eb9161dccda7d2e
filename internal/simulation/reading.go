package simulation

import (
	"time"
	"unsafe"
)

// timeLayout is the layout of a time.Time that has a monotonic reading, which the
// runtime's clock has and which no function makes. In a bubble the runtime's has
// none. TestAClockThatIsSet fails if the layout is another.
type timeLayout struct {
	wall uint64 // 1 bit: there is a monotonic reading; 33: seconds since 1885; 30: nanoseconds
	ext  int64  // the monotonic reading, in nanoseconds
	loc  *time.Location
}

// reading returns the time of day wall with a monotonic reading.
func reading(wall time.Time, monotonic time.Duration) time.Time {
	since1885 := uint64(wall.Unix() - time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	at := timeLayout{1<<63 | since1885<<30 | uint64(wall.Nanosecond()), int64(monotonic), time.UTC}
	return *(*time.Time)(unsafe.Pointer(&at))
}
