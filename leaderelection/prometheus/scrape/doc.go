// Package scrape holds tests only: that the collector registers where its users
// register, and that the alert rules and the dashboard fit what a live scrape
// of a real election shows.
package scrape
