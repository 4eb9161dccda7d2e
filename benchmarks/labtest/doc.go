// Package labtest is what tests that play in the laboratory share: a fleet whose
// mishaps fail the test, what it shows when it has failed, and the example
// controller to play with.
package labtest
