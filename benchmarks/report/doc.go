// Package report makes a report from files of package result: Markdown with
// tables, the targets with what was reached, and plots as SVG. It reads the
// files and nothing else, so whoever has them can make the report again: the
// same input gives the same bytes.
//
// It never invents a figure. What was not measured is said by name, a sample
// that failed is counted and listed, and a target is met, missed or not
// measured. Input that is empty or was cut short gives a report that says so.
//
//	in, err := report.Load([]string{"failover.jsonl", "cost.jsonl", "gobench.txt"}, scenarios)
//	err = report.Write("results/2026-11", in)
//
// # Statistics
//
// Median and p99 are values that occurred (nearest rank), so below 100 samples
// p99 is the largest. Smallest and largest stand beside them, and n always
// does. A ratio is one of medians. Where a target is a bound, the worst sample
// counts.
//
// # Limits
//
// Figures of different machines do not compare. Files of several machines are
// reported together all the same, with a warning at the top.
package report
