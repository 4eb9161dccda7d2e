// Command pause holds the namespaces of a Pod, and does nothing else: the image of the
// first container of every Pod of the laboratory.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	<-stop
}
