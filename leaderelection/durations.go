package leaderelection

// ValidateDurations returns an error that names field, value and relation where
// LeaseDuration, RenewDeadline and RetryPeriod do not fit together, nil where
// they do. NewLeaderElector returns the same; this is for who reads durations
// long before there is a lock to contend for.
func (c *LeaderElectionConfig) ValidateDurations() error { return c.timing().validate() }
