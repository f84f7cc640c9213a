package main

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

func Greet(_ context.Context, name string) (string, error) {
	return "Hello, " + name + "!", nil
}

// Stubborn fails twice, and knows at the third attempt what the first two have left.
func Stubborn(ctx context.Context) (int32, error) {
	var last int32
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &last); err != nil {
			return 0, err
		}
	}
	attempt := activity.GetInfo(ctx).Attempt
	activity.RecordHeartbeat(ctx, attempt)
	if attempt < 3 {
		return 0, errors.New("not yet")
	}
	return last, nil
}

func UntilCancelled(ctx context.Context) error {
	for {
		activity.RecordHeartbeat(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Later is completed by somebody else.
func Later(context.Context) (string, error) {
	return "", activity.ErrResultPending
}

func Hello(ctx workflow.Context, name string) (greeting string, err error) {
	err = workflow.ExecuteActivity(within(ctx), Greet, name).Get(ctx, &greeting)
	return greeting, err
}

func Cart(ctx workflow.Context) ([]string, error) {
	items := []string{}
	count := func() (int, error) { return len(items), nil }
	if err := workflow.SetQueryHandler(ctx, "count", count); err != nil {
		return nil, err
	}
	add := func(ctx workflow.Context, item string) (int, error) {
		if err := workflow.Sleep(ctx, 10*time.Millisecond); err != nil {
			return 0, err
		}
		items = append(items, item)
		return len(items), nil
	}
	validate := func(item string) error {
		if item == "" {
			return errors.New("nothing to add")
		}
		return nil
	}
	options := workflow.UpdateHandlerOptions{Validator: validate}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, "add", add, options); err != nil {
		return nil, err
	}
	workflow.GetSignalChannel(ctx, "close").Receive(ctx, nil)
	return items, nil
}

func Parent(ctx workflow.Context, names []string) ([]string, error) {
	var children []workflow.ChildWorkflowFuture
	for _, name := range names {
		children = append(children, workflow.ExecuteChildWorkflow(ctx, Hello, name))
	}
	said := make([]string, len(names))
	for i, child := range children {
		if err := child.Get(ctx, &said[i]); err != nil {
			return nil, err
		}
	}
	return said, nil
}

func Persistent(ctx workflow.Context, round int) (last int32, err error) {
	if err := workflow.Sleep(ctx, 50*time.Millisecond); err != nil {
		return 0, err
	}
	if err := workflow.ExecuteActivity(within(ctx), Stubborn).Get(ctx, &last); err != nil {
		return 0, err
	}
	if round == 0 {
		return 0, workflow.NewContinueAsNewError(ctx, Persistent, 1)
	}
	return last, nil
}

func Cancellable(ctx workflow.Context) (bool, error) {
	options := workflow.GetActivityOptions(within(ctx))
	options.HeartbeatTimeout = time.Second
	options.WaitForCancellation = true
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), UntilCancelled).Get(ctx, nil)
	return temporal.IsCanceledError(err), nil
}

func Failing(workflow.Context) error {
	return temporal.NewNonRetryableApplicationError("as it must", "Planned", nil, map[string]int{"code": 7})
}

// Waiting for somebody to complete its activity, whose id is "later".
func Waiting(ctx workflow.Context) (said string, err error) {
	options := workflow.ActivityOptions{ActivityID: "later", StartToCloseTimeout: 10 * time.Minute}
	err = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), Later).Get(ctx, &said)
	return said, err
}

func within(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond},
	})
}
