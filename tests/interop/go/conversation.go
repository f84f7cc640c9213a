package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

func converse(ctx context.Context, c client.Client, queue string) {
	start := func(name string, workflow any, arguments ...any) client.WorkflowRun {
		options := client.StartWorkflowOptions{ID: name + "-" + uuid.NewString(), TaskQueue: queue}
		run, err := c.ExecuteWorkflow(ctx, options, workflow, arguments...)
		must(name, err)
		return run
	}

	var said string
	must("hello", start("hello", Hello, "Go").Get(ctx, &said))
	passed("hello", said == "Hello, Go!")

	messages(ctx, c, start("cart", Cart))

	var greetings []string
	must("children", start("parent", Parent, []string{"a", "b"}).Get(ctx, &greetings))
	passed("children", slices.Equal(greetings, []string{"Hello, a!", "Hello, b!"}))

	var last int32
	must("persistent", start("persistent", Persistent, 0).Get(ctx, &last))
	passed("timer, retries, heartbeat details and continue-as-new", last == 2)

	cancellation(ctx, c, start("cancellable", Cancellable))

	var failure *temporal.ApplicationError
	var details map[string]int
	err := start("failing", Failing).Get(ctx, nil)
	passed("failure", errors.As(err, &failure) && failure.Type() == "Planned" &&
		failure.Details(&details) == nil && details["code"] == 7)

	terminated := start("terminated", Cart)
	must("terminate", c.TerminateWorkflow(ctx, terminated.GetID(), "", "enough"))
	described, err := c.DescribeWorkflowExecution(ctx, terminated.GetID(), "")
	must("describe", err)
	passed("terminate and describe",
		described.WorkflowExecutionInfo.Status == enums.WORKFLOW_EXECUTION_STATUS_TERMINATED)

	query := fmt.Sprintf("WorkflowId = '%s'", terminated.GetID())
	found, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query})
	must("list", err)
	passed("list", len(found.Executions) == 1 && found.Executions[0].Execution.WorkflowId == terminated.GetID())

	schedule(ctx, c, queue)
}

func messages(ctx context.Context, c client.Client, cart client.WorkflowRun) {
	add := func(item string) (count int, err error) {
		update, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
			WorkflowID:   cart.GetID(),
			UpdateName:   "add",
			Args:         []any{item},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err == nil {
			err = update.Get(ctx, &count)
		}
		return count, err
	}
	count, err := add("tea")
	must("update", err)
	passed("update", count == 1)
	_, err = add("")
	passed("validator", err != nil && strings.Contains(err.Error(), "nothing to add"))
	answer, err := c.QueryWorkflow(ctx, cart.GetID(), "", "count")
	must("query", err)
	must("query", answer.Get(&count))
	passed("query", count == 1)
	must("signal", c.SignalWorkflow(ctx, cart.GetID(), "", "close", nil))
	var items []string
	must("signal", cart.Get(ctx, &items))
	passed("signal", slices.Equal(items, []string{"tea"}))
}

func cancellation(ctx context.Context, c client.Client, run client.WorkflowRun) {
	// Its activity has to run before there is something to cancel.
	for {
		described, err := c.DescribeWorkflowExecution(ctx, run.GetID(), "")
		must("cancellation", err)
		started := len(described.PendingActivities) == 1 &&
			described.PendingActivities[0].State == enums.PENDING_ACTIVITY_STATE_STARTED
		if started {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	must("cancellation", c.CancelWorkflow(ctx, run.GetID(), ""))
	var cancelled bool
	must("cancellation", run.Get(ctx, &cancelled))
	passed("cancellation", cancelled)
}

func schedule(ctx context.Context, c client.Client, queue string) {
	id := "schedule-" + uuid.NewString()
	handle, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:     id,
		Spec:   client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: time.Hour}}},
		Action: &client.ScheduleWorkflowAction{ID: id, Workflow: Hello, TaskQueue: queue, Args: []any{"schedule"}},
	})
	must("schedule", err)
	must("schedule", handle.Trigger(ctx, client.ScheduleTriggerOptions{}))
	for {
		described, err := handle.Describe(ctx)
		must("schedule", err)
		if actions := described.Info.RecentActions; len(actions) == 1 {
			started := actions[0].StartWorkflowResult
			var said string
			must("schedule", c.GetWorkflow(ctx, started.WorkflowID, started.FirstExecutionRunID).Get(ctx, &said))
			passed("schedule", said == "Hello, schedule!")
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	must("schedule", handle.Delete(ctx))
}
