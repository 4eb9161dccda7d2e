package cost

// spread divides n contenders evenly over at most so many processes, one each
// as long as there are enough, and returns how many each holds.
func spread(n, processes int) []int {
	if n <= 0 || processes <= 0 {
		return nil
	}
	sizes := make([]int, min(n, processes))
	for i := range sizes {
		sizes[i] = n / len(sizes)
		if i < n%len(sizes) {
			sizes[i]++
		}
	}
	return sizes
}

// settled reports whether two looks at all crowds, one after the other, show
// that everything which happens once has happened: as many lead as should, all
// contend, and each whose requests are counted has had two answers (a record
// read and, after it, a renewal, a poll or a watch that began). A crowd whose
// requests are not counted settles when as many connections are open as before,
// which may be none: some peers open one for each request.
func settled(before, now []Reading, leaders, contenders int) bool {
	if len(before) != len(now) {
		return false
	}
	leading, begun := 0, 0
	for i, r := range now {
		leading += r.Leading
		begun += r.Contenders
		switch {
		case r.Broken != "" || r.Lost != before[i].Lost || r.Leading != before[i].Leading:
			return false
		case r.Sent > 0 && r.Answered < r.Contenders:
			return false
		case r.Sent == 0 && (r.Network.Opened == 0 || r.Network.Established != before[i].Network.Established):
			return false
		}
	}
	return leading == leaders && begun == contenders
}
