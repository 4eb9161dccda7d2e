package dialer

// stage is how far a request has come that has no answer, as far as the base tells.
type stage int

const (
	stageUnknown stage = iota
	stageQueued        // it waits for its turn to have a connection made
	stageDialled       // its connection is being dialled, or agrees with a proxy
	stageShaking       // its connection is in a TLS handshake
	stageSent          // it has a connection
)

// stage returns how far the request has come.
func (r *requestTrace) stage() stage {
	switch {
	case r.has():
		return stageSent
	case r.shook.Load():
		return stageShaking
	case r.queued.Load():
		return stageQueued
	case r.waits.Load():
		return stageDialled
	}
	return stageUnknown
}

// words says for an error what was waited for.
func (s stage) words() string {
	switch s {
	case stageSent:
		return "the request had a connection, and no answer had begun"
	case stageShaking:
		return "its connection was in its TLS handshake"
	case stageDialled:
		return "its connection was not ready"
	case stageQueued:
		return "it had no connection, while as many others are being made as may be at once and none of them is ready"
	}
	return ""
}
