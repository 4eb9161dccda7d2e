//go:build !linux

package lab

import "net/netip"

func (*router) lose([]Loss) error { return errSystem }
func (*link) forget() error       { return errSystem }

func (*link) opened() ([]netip.AddrPort, error) { return nil, errSystem }

func (*link) next(_, _ netip.AddrPort) error { return errSystem }
