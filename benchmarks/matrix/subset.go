package matrix

import "slices"

// Subset is the part of the matrix that spans it: every fault, every role and
// every mode, each fault in four columns, or those of them that it can be done to. A
// leader is in every fault, its modes in turns, and one of client-go's elector in the
// other mode; a candidate and a writer are in one, a watch and an informer in the next.
func Subset(faults []Fault) [][]Column {
	modes := [...]string{userTimeout, fresh}
	var chosen [][]Column
	for i, f := range faults {
		columns := []Column{{Leader, modes[i%2]}, {ClientGoLeader, modes[1-i%2]}, {Candidate, modes[i/2%2]}, {Writer, traffic}}
		if i%2 == 1 && !f.by.tokens { // an informer would wait for a new token for minutes
			columns = []Column{{Leader, modes[i%2]}, {ClientGoLeader, modes[1-i%2]}, {Watch, modes[i/2%2]}, {Informer, traffic}}
		}
		if f.only != nil {
			columns = slices.DeleteFunc(columns, func(c Column) bool { return !f.only(c.Role) })
		}
		chosen = append(chosen, columns)
	}
	return chosen
}

// Both returns the columns that are in both, in the order of the first.
func Both(a, b []Column) []Column {
	var both []Column
	for _, c := range a {
		if slices.Contains(b, c) {
			both = append(both, c)
		}
	}
	return both
}
