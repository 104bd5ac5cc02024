//go:build old

package main

import "github.com/libp2p/go-libp2p/p2p/protocol/identify"

func init() { identify.ActivationThresh = 1 }
