// Package contender is a program that contends for a lease, guards a piece of
// work by it, and says on its standard output, as a stream of package event,
// exactly when that work began and ended.
//
// It is not a binary of its own: a program that may have to start contenders
// calls [Main] first of all, and [Command] then says how to start that same
// program as a contender. So a test needs no second build.
//
// What contends is a peer: this library, client-go, or another that is added
// with one file (see the type peer). Everything else, the work, the events,
// the exit codes, is the same for all peers, so that they can be compared.
//
// # Work
//
// The guarded work does nothing until its context is cancelled and then takes
// Options.WorkStop to return. The process never exits while it runs, unless it
// is killed: two terms of guarded work that overlap in the stream overlapped.
//
// # Exit codes
//
//   - [ExitOK]: told to stop by SIGTERM or SIGINT, and the work has returned
//   - [ExitLost]: the lease was lost, and Options.ContendAgain is not set
//   - [ExitUsage]: a flag cannot be used; standard error says which
//   - [ExitSetup]: kubeconfig, client or elector could not be made, or an event
//     could not be written; standard error says which
package contender
