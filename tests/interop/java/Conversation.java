import io.temporal.api.common.v1.WorkflowExecution;
import io.temporal.api.enums.v1.PendingActivityState;
import io.temporal.api.enums.v1.WorkflowExecutionStatus;
import io.temporal.api.workflowservice.v1.DescribeWorkflowExecutionRequest;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowException;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.client.WorkflowUpdateException;
import io.temporal.client.schedules.Schedule;
import io.temporal.client.schedules.ScheduleActionExecutionStartWorkflow;
import io.temporal.client.schedules.ScheduleActionStartWorkflow;
import io.temporal.client.schedules.ScheduleClient;
import io.temporal.client.schedules.ScheduleIntervalSpec;
import io.temporal.client.schedules.ScheduleOptions;
import io.temporal.client.schedules.ScheduleSpec;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.CanceledFailure;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.WorkerFactory;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * What a program of Temporal's Java SDK does on a server: hello, signal, query, update, child, timer, heartbeat.
 *
 * <p>Prints one line a feature, and ends with an error at the first that fails.
 */
public final class Conversation {
    private final WorkflowClient client;
    private final String queue;

    private Conversation(WorkflowClient client, String queue) {
        this.client = client;
        this.queue = queue;
    }

    public static void main(String[] arguments) {
        int status = 1;
        try {
            var options = WorkflowServiceStubsOptions.newBuilder().setTarget(arguments[0]).build();
            var service = WorkflowServiceStubs.newServiceStubs(options);
            var client = WorkflowClient.newInstance(service);
            String queue = "java-" + UUID.randomUUID();
            var factory = WorkerFactory.newInstance(client);
            var worker = factory.newWorker(queue);
            worker.registerWorkflowImplementationTypes(Workflows.ALL);
            worker.registerActivitiesImplementations(new Workflows.ActivitiesImpl());
            factory.start();
            var conversation = new Conversation(client, queue);
            conversation.workflows();
            conversation.schedule(ScheduleClient.newInstance(service));
            status = 0;
        } catch (Exception error) {
            error.printStackTrace();
        }
        // Polls that are still open would keep the program for a minute.
        System.exit(status);
    }

    private void workflows() throws Exception {
        passed("hello", start("Hello", "Java").getResult(String.class).equals("Hello, Java!"));
        cart();
        var greetings = start("Parent", List.of("a", "b")).getResult(List.class);
        passed("children", greetings.equals(List.of("Hello, a!", "Hello, b!")));
        int last = start("Persistent", 0).getResult(Integer.class);
        passed("timer, retries, heartbeat details and continue-as-new", last == 2);
        cancellation();
        failure();
        termination();
    }

    private void cart() {
        var cart = start("Cart");
        passed("update", cart.update("add", Integer.class, "tea") == 1);
        try {
            cart.update("add", Integer.class, "");
            passed("validator", false);
        } catch (WorkflowUpdateException refused) {
            passed("validator", refused.getCause().getMessage().contains("nothing to add"));
        }
        passed("query", cart.query("count", Integer.class) == 1);
        cart.signal("close");
        passed("signal", cart.getResult(List.class).equals(List.of("tea")));
    }

    private void cancellation() throws InterruptedException {
        var cancellable = start("Cancellable");
        // Its activity has to run before there is something to cancel.
        while (!activityRuns(cancellable.getExecution())) {
            Thread.sleep(20);
        }
        cancellable.cancel();
        try {
            cancellable.getResult(Void.class);
            passed("cancellation", false);
        } catch (WorkflowException ended) {
            passed("cancellation", ended.getCause() instanceof CanceledFailure);
        }
    }

    private boolean activityRuns(WorkflowExecution execution) {
        var request = DescribeWorkflowExecutionRequest.newBuilder().setNamespace("default").setExecution(execution);
        var described = client.getWorkflowServiceStubs().blockingStub().describeWorkflowExecution(request.build());
        return described.getPendingActivitiesList().stream()
            .anyMatch(activity -> activity.getState() == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED);
    }

    private void failure() {
        try {
            start("Failing").getResult(Void.class);
            passed("failure", false);
        } catch (WorkflowException failed) {
            var cause = (ApplicationFailure) failed.getCause();
            boolean details = cause.getDetails().get(0, Map.class).equals(Map.of("code", 7));
            passed("failure", cause.getType().equals("Planned") && details);
        }
    }

    private void termination() {
        var terminated = start("Cart");
        terminated.terminate("enough");
        var status = terminated.describe().getStatus();
        boolean ended = status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED;
        passed("terminate and describe", ended);
        String id = terminated.getExecution().getWorkflowId();
        var found = client.listExecutions("WorkflowId = '" + id + "'").map(one -> one.getExecution().getWorkflowId());
        passed("list", found.toList().equals(List.of(id)));
    }

    private void schedule(ScheduleClient schedules) throws InterruptedException {
        String id = "schedule-" + UUID.randomUUID();
        var action = ScheduleActionStartWorkflow.newBuilder()
            .setWorkflowType("Hello")
            .setArguments("schedule")
            .setOptions(WorkflowOptions.newBuilder().setWorkflowId(id).setTaskQueue(queue).build())
            .build();
        var hourly = ScheduleSpec.newBuilder().setIntervals(List.of(new ScheduleIntervalSpec(Duration.ofHours(1))));
        var schedule = Schedule.newBuilder().setAction(action).setSpec(hourly.build()).build();
        var handle = schedules.createSchedule(id, schedule, ScheduleOptions.newBuilder().build());
        handle.trigger();
        while (handle.describe().getInfo().getRecentActions().isEmpty()) {
            Thread.sleep(20);
        }
        var taken = handle.describe().getInfo().getRecentActions().get(0).getAction();
        String workflowId = ((ScheduleActionExecutionStartWorkflow) taken).getWorkflowId();
        String said = client.newUntypedWorkflowStub(workflowId).getResult(String.class);
        passed("schedule", said.equals("Hello, schedule!"));
        handle.delete();
    }

    private WorkflowStub start(String type, Object... arguments) {
        var options = WorkflowOptions.newBuilder().setWorkflowId(type + "-" + UUID.randomUUID()).setTaskQueue(queue);
        var stub = client.newUntypedWorkflowStub(type, options.build());
        stub.start(arguments);
        return stub;
    }

    private static void passed(String feature, boolean holds) {
        if (!holds) {
            throw new IllegalStateException(feature + ": not as it should be");
        }
        System.out.println(feature + ": ok");
    }
}
