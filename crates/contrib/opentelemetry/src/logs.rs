//! Loggers that workflow code may use.

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::{Logger, LoggerProvider, Severity};
use stead::workflow::{replay, unwatched};

use crate::ReplaySafe;

impl<P: LoggerProvider> LoggerProvider for ReplaySafe<P> {
    type Logger = ReplaySafe<P::Logger>;

    fn logger_with_scope(&self, scope: InstrumentationScope) -> Self::Logger {
        ReplaySafe(self.0.logger_with_scope(scope))
    }
}

impl<L: Logger> Logger for ReplaySafe<L> {
    type LogRecord = L::LogRecord;

    fn create_log_record(&self) -> L::LogRecord {
        self.0.create_log_record()
    }

    fn emit(&self, record: L::LogRecord) {
        if !replay::is_replaying_history() {
            unwatched(|| self.0.emit(record));
        }
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        !replay::is_replaying_history() && self.0.event_enabled(level, target, name)
    }
}
