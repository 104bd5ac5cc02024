//go:build !old

package main

import "github.com/libp2p/go-libp2p/p2p/host/observedaddrs"

// An observed address counts from four observers on, and the lab has one relay.
func init() { observedaddrs.ActivationThresh = 1 }
