// What a program of Temporal's Go SDK does on a server.
//
//	interop ADDRESS                       prints one line a feature, and ends with an error at the first that fails
//	interop start PROGRAM                 does so on a server that the SDK starts with this program
//	interop ADDRESS QUEUE [DEPLOYMENT]    is a worker on this task queue until it is told to stop; with a deployment,
//	                                      one of its version "1.0"
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func main() {
	if len(os.Args) < 2 {
		fail("which server? say ADDRESS")
	}
	// The failures of a test are meant to happen.
	quiet := log.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	if os.Args[1] == "start" {
		start(os.Args[2], quiet)
		return
	}
	c, err := client.Dial(client.Options{HostPort: os.Args[1], Logger: quiet})
	must("connect", err)
	defer c.Close()
	if len(os.Args) > 2 {
		w := newWorker(c, os.Args[2], deployment(os.Args[3:]))
		must("worker", w.Run(worker.InterruptCh()))
		return
	}
	talk(c)
}

func start(program string, logger log.Logger) {
	server, err := testsuite.StartDevServer(context.Background(), testsuite.DevServerOptions{
		ExistingPath:  program,
		ClientOptions: &client.Options{Logger: logger},
		Stdout:        io.Discard,
	})
	must("start", err)
	talk(server.Client())
	must("stop", server.Stop())
}

func talk(c client.Client) {
	queue := "go-" + uuid.NewString()
	w := newWorker(c, queue, worker.DeploymentOptions{})
	must("worker", w.Start())
	defer w.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	converse(ctx, c, queue)
}

func deployment(name []string) worker.DeploymentOptions {
	if len(name) == 0 {
		return worker.DeploymentOptions{}
	}
	return worker.DeploymentOptions{
		UseVersioning:             true,
		Version:                   worker.WorkerDeploymentVersion{DeploymentName: name[0], BuildID: "1.0"},
		DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
	}
}

func newWorker(c client.Client, queue string, deployment worker.DeploymentOptions) worker.Worker {
	w := worker.New(c, queue, worker.Options{DeploymentOptions: deployment})
	for _, definition := range []any{Hello, Cart, Parent, Persistent, Cancellable, Failing, Waiting} {
		w.RegisterWorkflow(definition)
	}
	for _, activity := range []any{Greet, Stubborn, UntilCancelled, Later} {
		w.RegisterActivity(activity)
	}
	return w
}

func passed(feature string, holds bool) {
	if !holds {
		fail(feature + ": not as it should be")
	}
	fmt.Println(feature + ": ok")
}

func must(feature string, err error) {
	if err != nil {
		fail(fmt.Sprintf("%s: %v", feature, err))
	}
}

func fail(what string) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}
