//! Meters that workflow code may use.

use std::sync::Arc;

use opentelemetry::metrics::{
    AsyncInstrumentBuilder, Counter, Gauge, Histogram, HistogramBuilder, InstrumentBuilder, InstrumentProvider, Meter,
    MeterProvider, ObservableCounter, ObservableGauge, ObservableUpDownCounter, SyncInstrument, UpDownCounter,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use stead::workflow::{replay, unwatched};

use crate::ReplaySafe;

impl<P: MeterProvider> MeterProvider for ReplaySafe<P> {
    fn meter_with_scope(&self, scope: InstrumentationScope) -> Meter {
        Meter::new(Arc::new(Instruments(self.0.meter_with_scope(scope))))
    }
}

/// Makes the instruments of a meter, each around one of the meter within.
struct Instruments(Meter);

/// Counts when code runs for the first time.
struct Once<F>(F);

impl<T, F: Fn(T, &[KeyValue]) + Send + Sync> SyncInstrument<T> for Once<F> {
    fn measure(&self, value: T, attributes: &[KeyValue]) {
        if !replay::is_replaying_history() {
            unwatched(|| (self.0)(value, attributes));
        }
    }
}

/// What users say of an instrument, said again to the one within.
macro_rules! described {
    ($from:ident, $within:expr) => {{
        let mut within = $within;
        within.description = $from.description;
        within.unit = $from.unit;
        within
    }};
}

macro_rules! sync {
    ($($make:ident: $instrument:ident<$value:ty>, $measure:ident;)*) => {
        $(
            fn $make(&self, builder: InstrumentBuilder<'_, $instrument<$value>>) -> $instrument<$value> {
                let within = described!(builder, self.0.$make(builder.name)).build();
                $instrument::new(Arc::new(Once(move |value, attributes: &[KeyValue]| within.$measure(value, attributes))))
            }
        )*
    };
}

macro_rules! histogram {
    ($($make:ident: $value:ty;)*) => {
        $(
            fn $make(&self, builder: HistogramBuilder<'_, Histogram<$value>>) -> Histogram<$value> {
                let mut within = described!(builder, self.0.$make(builder.name));
                within.boundaries = builder.boundaries;
                let within = within.build();
                Histogram::new(Arc::new(Once(move |value, attributes: &[KeyValue]| within.record(value, attributes))))
            }
        )*
    };
}

macro_rules! observable {
    ($($make:ident: $instrument:ident<$value:ty>;)*) => {
        $(
            fn $make(
                &self,
                builder: AsyncInstrumentBuilder<'_, $instrument<$value>, $value>,
            ) -> $instrument<$value> {
                let mut within = described!(builder, self.0.$make(builder.name));
                within.callbacks = builder.callbacks;
                within.build()
            }
        )*
    };
}

impl InstrumentProvider for Instruments {
    sync! {
        u64_counter: Counter<u64>, add;
        f64_counter: Counter<f64>, add;
        i64_up_down_counter: UpDownCounter<i64>, add;
        f64_up_down_counter: UpDownCounter<f64>, add;
        u64_gauge: Gauge<u64>, record;
        f64_gauge: Gauge<f64>, record;
        i64_gauge: Gauge<i64>, record;
    }

    histogram! {
        f64_histogram: f64;
        u64_histogram: u64;
    }

    observable! {
        u64_observable_counter: ObservableCounter<u64>;
        f64_observable_counter: ObservableCounter<f64>;
        i64_observable_up_down_counter: ObservableUpDownCounter<i64>;
        f64_observable_up_down_counter: ObservableUpDownCounter<f64>;
        u64_observable_gauge: ObservableGauge<u64>;
        i64_observable_gauge: ObservableGauge<i64>;
        f64_observable_gauge: ObservableGauge<f64>;
    }
}
