package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// process is one line of the table of processes.
type process struct {
	pid, parent int
	// dead is one that has ended and that its parent has not reaped.
	dead bool
}

// parseStat reads /proc/PID/stat (proc_pid_stat(5)). The name of the program stands in
// brackets and may contain anything.
func parseStat(line []byte) (process, error) {
	name := bytes.LastIndexByte(line, ')')
	open := bytes.IndexByte(line, '(')
	if open < 1 || name < open {
		return process{}, fmt.Errorf("%q: no name of a program in brackets", line)
	}
	rest := bytes.Fields(line[name+1:])
	if len(rest) < 2 {
		return process{}, fmt.Errorf("%q: no parent", line)
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(line[:open])))
	if err != nil {
		return process{}, fmt.Errorf("%q: %w", line, err)
	}
	parent, err := strconv.Atoi(string(rest[1]))
	if err != nil {
		return process{}, fmt.Errorf("%q: %w", line, err)
	}
	return process{pid: pid, parent: parent, dead: bytes.ContainsAny(rest[0], "ZXx")}, nil
}

// descendants returns those of the processes that descend from one and live. What a
// container's runtime has put beside the first process (kubectl exec) does not descend
// from it.
func descendants(of int, table []process) (alive []int) {
	children := map[int][]process{}
	for _, p := range table {
		children[p.parent] = append(children[p.parent], p)
	}
	seen := map[int]bool{of: true}
	for generation := []int{of}; len(generation) > 0; {
		var next []int
		for _, parent := range generation {
			for _, p := range children[parent] {
				if seen[p.pid] {
					continue
				}
				seen[p.pid] = true
				next = append(next, p.pid)
				if !p.dead {
					alive = append(alive, p.pid)
				}
			}
		}
		generation = next
	}
	return alive
}

// family returns all processes that descend from this one and live. Orphans among them
// are its children, since it inherits them.
func family() ([]int, error) {
	// In a PID namespace with the /proc of another one the numbers mean others.
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return nil, fmt.Errorf("/proc is not that of this process's namespace: it says that this is %q, not %d (%w)", self, os.Getpid(), err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("looking for descendants: %w", err)
	}
	var table []process
	for _, entry := range entries {
		if entry.Name()[0] < '0' || entry.Name()[0] > '9' {
			continue
		}
		line, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue // it has ended meanwhile
		}
		p, err := parseStat(line)
		if err != nil {
			return nil, err
		}
		table = append(table, p)
	}
	return descendants(os.Getpid(), table), nil
}

// tell sends a signal to each process.
func tell(pids []int, s syscall.Signal) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, s)
	}
}
