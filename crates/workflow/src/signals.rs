//! Signals that no handler of the definition takes.

use std::rc::Rc;

use stead_activation::SignalReceived;

use crate::context;
use crate::definition::Arguments;
use crate::runtime::Runtime;

type DynamicHandler = Rc<dyn Fn(&str, &Arguments<'_>)>;

/// Takes the signals that no other handler takes: those that have come already, in their order and at once, and then
/// those to come.
///
/// The handler gets the signal's name and its arguments, which it [decodes](Arguments::decode) as it needs. Set again, it
/// takes the place of the one before.
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
/// use stead_workflow as workflow;
///
/// fn collect(log: Rc<RefCell<Vec<String>>>) {
///     workflow::on_signal_dynamic(move |name, _arguments| log.borrow_mut().push(name.to_owned()));
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code; in queries, validators and conditions.
#[track_caller]
pub fn on_signal_dynamic(handler: impl Fn(&str, &Arguments<'_>) + 'static) {
    let runtime = context::current();
    runtime.assert_writable("set a signal handler");
    let handler: DynamicHandler = Rc::new(handler);
    let waiting = {
        let mut signals = runtime.signals().borrow_mut();
        signals.handler = Some(Rc::clone(&handler));
        std::mem::take(&mut signals.waiting)
    };
    for signal in waiting {
        call(&runtime, &handler, &signal);
    }
}

/// The signals that wait for a handler, and the handler that takes any.
pub(crate) struct Signals {
    handler: Option<DynamicHandler>,
    waiting: Vec<SignalReceived>,
}

impl Signals {
    pub(crate) const fn new() -> Self {
        Self { handler: None, waiting: Vec::new() }
    }
}

/// Gives a signal that the definition does not know to the dynamic handler, or keeps it until there is one.
pub(crate) fn receive(runtime: &Runtime, signal: SignalReceived) {
    let handler = runtime.signals().borrow().handler.clone();
    match handler {
        Some(handler) => call(runtime, &handler, &signal),
        None => keep(runtime, signal),
    }
}

fn call(runtime: &Runtime, handler: &DynamicHandler, signal: &SignalReceived) {
    handler(&signal.name, &Arguments::new(&signal.input, runtime.converter()));
    runtime.note_progress();
}

fn keep(runtime: &Runtime, signal: SignalReceived) {
    let waiting = &mut runtime.signals().borrow_mut().waiting;
    let is_first = waiting.iter().all(|other| other.name != signal.name);
    if is_first && !runtime.moment().is_replaying {
        tracing::warn!(
            target: "stead::workflow",
            workflow_id = runtime.info().workflow_id(),
            run_id = runtime.info().run_id(),
            workflow_type = runtime.info().workflow_type(),
            signal = signal.name,
            "no handler for this signal; it waits for one, as will others of its name",
        );
    }
    waiting.push(signal);
}
