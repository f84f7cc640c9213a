//! The gRPC stubs: a file for each service and side, generic over the transport.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::Result;
use prost_build::{Service, ServiceGenerator};
use prost_types::FileDescriptorSet;

/// `<package>.client` or `<package>.server`, and its code.
type Stubs = BTreeMap<String, String>;

pub(super) fn generate(descriptors: &FileDescriptorSet) -> Result<Stubs> {
    let stubs = Rc::new(RefCell::new(Stubs::new()));
    prost_build::Config::new()
        .service_generator(Box::new(Collector(Rc::clone(&stubs))))
        .generate(super::modules(descriptors))?;
    Ok(stubs.take())
}

/// Keeps the stubs apart from the messages, which the buffer it is handed is meant for.
struct Collector(Rc<RefCell<Stubs>>);

impl ServiceGenerator for Collector {
    fn generate(&mut self, service: Service, _messages: &mut String) {
        for side in ["client", "server"] {
            let name = format!("{}.{side}", service.package);
            self.0.borrow_mut().insert(name, stub(service.clone(), side));
        }
    }
}

fn stub(mut service: Service, side: &str) -> String {
    strip_comments(&mut service);
    let mut generator = tonic_prost_build::configure()
        .build_client(side == "client")
        .build_server(side == "server")
        .build_transport(false)
        .service_generator();
    let mut code = String::new();
    generator.generate(service, &mut code);
    generator.finalize(&mut code);
    code
}

fn strip_comments(service: &mut Service) {
    service.comments = Default::default();
    for method in &mut service.methods {
        method.comments = Default::default();
    }
}
