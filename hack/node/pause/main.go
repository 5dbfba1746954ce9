// Command pause keeps a pod's namespaces alive and buries its orphans until it is told to stop.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for each := range arrived {
		if each != syscall.SIGCHLD {
			return
		}
		buryOrphans()
	}
}

func buryOrphans() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 || err != nil {
			return
		}
	}
}
