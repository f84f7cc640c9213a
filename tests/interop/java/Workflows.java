import io.temporal.activity.Activity;
import io.temporal.activity.ActivityCancellationType;
import io.temporal.activity.ActivityInterface;
import io.temporal.activity.ActivityOptions;
import io.temporal.common.RetryOptions;
import io.temporal.failure.ApplicationFailure;
import io.temporal.workflow.Async;
import io.temporal.workflow.Promise;
import io.temporal.workflow.QueryMethod;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.UpdateMethod;
import io.temporal.workflow.UpdateValidatorMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The workflows and activities of the conversation. */
final class Workflows {
    static final Class<?>[] ALL = {
        HelloImpl.class, CartImpl.class, ParentImpl.class, PersistentImpl.class, CancellableImpl.class, FailingImpl.class
    };

    @ActivityInterface
    public interface Activities {
        String greet(String name);

        int stubborn();

        void untilCancelled();
    }

    public static final class ActivitiesImpl implements Activities {
        @Override
        public String greet(String name) {
            return "Hello, " + name + "!";
        }

        /** Fails twice, and knows at the third attempt what the first two have left. */
        @Override
        public int stubborn() {
            var context = Activity.getExecutionContext();
            int last = context.getHeartbeatDetails(Integer.class).orElse(0);
            int attempt = context.getInfo().getAttempt();
            context.heartbeat(attempt);
            if (attempt < 3) {
                throw ApplicationFailure.newFailure("not yet", "Stubborn");
            }
            return last;
        }

        @Override
        public void untilCancelled() {
            while (true) {
                try {
                    Activity.getExecutionContext().heartbeat(null);
                    Thread.sleep(50);
                } catch (InterruptedException interrupted) {
                    throw new IllegalStateException(interrupted);
                }
            }
        }
    }

    private static Activities activities() {
        var retry = RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(100)).build();
        return Workflow.newActivityStub(
            Activities.class,
            ActivityOptions.newBuilder()
                .setStartToCloseTimeout(Duration.ofSeconds(30))
                .setHeartbeatTimeout(Duration.ofSeconds(1))
                .setCancellationType(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)
                .setRetryOptions(retry)
                .build());
    }

    @WorkflowInterface
    public interface Hello {
        @WorkflowMethod
        String run(String name);
    }

    public static final class HelloImpl implements Hello {
        @Override
        public String run(String name) {
            return activities().greet(name);
        }
    }

    @WorkflowInterface
    public interface Cart {
        @WorkflowMethod
        List<String> run();

        @SignalMethod
        void close();

        @QueryMethod
        int count();

        @UpdateMethod
        int add(String item);

        @UpdateValidatorMethod(updateName = "add")
        void check(String item);
    }

    public static final class CartImpl implements Cart {
        private final List<String> items = new ArrayList<>();
        private boolean closed;

        @Override
        public List<String> run() {
            Workflow.await(() -> closed);
            return items;
        }

        @Override
        public void close() {
            closed = true;
        }

        @Override
        public int count() {
            return items.size();
        }

        @Override
        public int add(String item) {
            Workflow.sleep(10);
            items.add(item);
            return items.size();
        }

        @Override
        public void check(String item) {
            if (item.isEmpty()) {
                throw new IllegalArgumentException("nothing to add");
            }
        }
    }

    @WorkflowInterface
    public interface Parent {
        @WorkflowMethod
        List<String> run(List<String> names);
    }

    public static final class ParentImpl implements Parent {
        @Override
        public List<String> run(List<String> names) {
            List<Promise<String>> children = new ArrayList<>();
            for (String name : names) {
                children.add(Async.function(Workflow.newChildWorkflowStub(Hello.class)::run, name));
            }
            return new ArrayList<>(children.stream().map(Promise::get).toList());
        }
    }

    @WorkflowInterface
    public interface Persistent {
        @WorkflowMethod
        int run(int round);
    }

    public static final class PersistentImpl implements Persistent {
        @Override
        public int run(int round) {
            Workflow.sleep(50);
            int last = activities().stubborn();
            if (round == 0) {
                Workflow.newContinueAsNewStub(Persistent.class).run(1);
            }
            return last;
        }
    }

    @WorkflowInterface
    public interface Cancellable {
        @WorkflowMethod
        void run();
    }

    public static final class CancellableImpl implements Cancellable {
        @Override
        public void run() {
            activities().untilCancelled();
        }
    }

    @WorkflowInterface
    public interface Failing {
        @WorkflowMethod
        void run();
    }

    public static final class FailingImpl implements Failing {
        @Override
        public void run() {
            throw ApplicationFailure.newNonRetryableFailure("as it must", "Planned", Map.of("code", 7));
        }
    }

    private Workflows() {}
}
