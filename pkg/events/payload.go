package events

// AppendExposure appends the event of an exposure, a JSON object as it would be sent, without sending it: nothing is
// queued, sampled or left out as a repetition. An event whose Time is zero has no member "time". What is no exposure (see
// [Exposure]) appends nothing.
func AppendExposure(dst []byte, e Exposure) []byte {
	if !e.isLoggable() {
		return dst
	}
	return appendExposure(dst, &e, e.Time)
}

// AppendCustomEvent is AppendExposure for a custom event.
func AppendCustomEvent(dst []byte, e CustomEvent) []byte {
	return appendCustomEvent(dst, &e, e.Time)
}
