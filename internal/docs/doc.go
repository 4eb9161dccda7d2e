// Package docs checks what the documents say against what the code does: that
// every line of the log and every reason has an entry in docs/operate.md, that
// links lead somewhere, that commands name what exists, and that the tables of
// docs/tune.md are what the rules give.
//
// It has tests only.
package docs
