// Package adopt proves that what is released can be used as a release is: its test
// puts the modules of this tree into a module proxy and builds programs against
// it that know nothing of the tree.
package adopt
