//! The methods of the `TestService` of Temporal's test server, whose time skips.

use super::{CallOptions, Connection, RpcError};

service! {
    /// The methods of the `TestService` of Temporal's test server, whose time skips.
    TestService of stead_proto::testservice::v1 as "temporal.api.testservice.v1.TestService" {
        get_current_time GetCurrentTime(()) -> GetCurrentTimeResponse;
        lock_time_skipping LockTimeSkipping(LockTimeSkippingRequest) -> LockTimeSkippingResponse;
        sleep Sleep(SleepRequest) -> SleepResponse;
        sleep_until SleepUntil(SleepUntilRequest) -> SleepResponse;
        unlock_time_skipping UnlockTimeSkipping(UnlockTimeSkippingRequest) -> UnlockTimeSkippingResponse;
        unlock_time_skipping_with_sleep UnlockTimeSkippingWithSleep(SleepRequest) -> SleepResponse;
    }
}
