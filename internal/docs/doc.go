// Package docs checks what the documents say against what the code does: that
// every line of the log, every reason and every alert has an entry in
// docs/operate.md, that links lead somewhere, that commands name what exists and
// that CI runs some of each document's, that beside every figure stands the
// command that prints it, unless given.txt says whence it is, that every entry
// point of the library has an example, and that the tables of docs/tune.md are
// what the rules give.
//
// It has tests only.
package docs
