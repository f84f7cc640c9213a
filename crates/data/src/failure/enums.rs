//! Small enumerations of the wire, which keep what they do not know.

use stead_proto::enums::v1 as wire;

macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident = $wire:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub enum $name {
            /// Not said.
            #[default]
            Unspecified,
            $($(#[$variant_doc])* $variant,)*
            /// A value that this version does not know.
            Unrecognized(i32),
        }

        impl $name {
            pub(super) fn from_wire(value: i32) -> Self {
                match wire::$wire::try_from(value) {
                    Ok(wire::$wire::Unspecified) => Self::Unspecified,
                    $(Ok(wire::$wire::$variant) => Self::$variant,)*
                    Err(_) => Self::Unrecognized(value),
                }
            }

            pub(super) fn into_wire(self) -> i32 {
                match self {
                    Self::Unspecified => wire::$wire::Unspecified.into(),
                    $(Self::$variant => wire::$wire::$variant.into(),)*
                    Self::Unrecognized(value) => value,
                }
            }
        }
    };
}

wire_enum! {
    /// How bad an application failure is.
    FailureCategory = ApplicationErrorCategory {
        /// Expected: not counted or logged as an error.
        Benign,
    }
}

wire_enum! {
    /// Which timeout passed.
    TimeoutKind = TimeoutType {
        /// The limit on one attempt.
        StartToClose,
        /// The limit on waiting for a worker.
        ScheduleToStart,
        /// The limit on all attempts together.
        ScheduleToClose,
        /// The limit between two heartbeats.
        Heartbeat,
    }
}

wire_enum! {
    /// Why something is not tried again.
    RetryState = RetryState {
        /// It is going to be tried again.
        InProgress,
        /// The failure says that trying again is of no use.
        NonRetryableFailure,
        /// There is no time left.
        Timeout,
        /// It was tried as often as the policy allows.
        MaximumAttemptsReached,
        /// There is no retry policy.
        RetryPolicyNotSet,
        /// The server failed.
        InternalServerError,
        /// It was asked to stop.
        CancelRequested,
    }
}

wire_enum! {
    /// Whether a Nexus call is tried again, where the handler overrides what its type of error means.
    NexusRetryBehavior = NexusHandlerErrorRetryBehavior {
        /// It is.
        Retryable,
        /// It is not.
        NonRetryable,
    }
}
