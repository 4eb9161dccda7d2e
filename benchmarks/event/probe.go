package event

// What the probes of package matrix say, and who drives them.
const (
	// Changed: an object is about to be changed on a server that no fault
	// touches; On is its name, Reason the number of the change.
	Changed What = "changed"
	// Seen: a watch has delivered a state of the object On; Reason is the number
	// of the change that made it.
	Seen What = "seen"
	// Asking: a probe's own request begins; Verb says which.
	Asking What = "asking"
	// Answered: it has succeeded; Took is how long it took. One that has not ends
	// with Refused.
	Answered What = "answered"
	// Refused: it has returned an error, in Reason, after Took.
	Refused What = "refused"
)

// Armed: a fault waits for the moment of each column, at which it is a Fault;
// Reason is its name.
const Armed What = "armed"
