package main

import (
	"slices"
	"strings"
	"time"
)

// lasts reports whether the last stretch has not ended.
func lasts(all []stretch) bool {
	n := len(all)
	return n > 0 && all[n-1].to.IsZero()
}

// begin adds a stretch, and ends the one before.
func begin(all []stretch, at time.Time, what string) []stretch {
	finish(all, at)
	return append(all, stretch{from: at, what: what})
}

// finish ends the last stretch if it lasts.
func finish(all []stretch, at time.Time) {
	if lasts(all) {
		all[len(all)-1].to = at
	}
}

// prune drops what ended before a moment.
func prune(all []stretch, since time.Time) []stretch {
	return slices.DeleteFunc(all, func(s stretch) bool { return !s.to.IsZero() && s.to.Before(since) })
}

// list joins names for a reader.
func list(names []string) string { return strings.Join(names, " ") }
