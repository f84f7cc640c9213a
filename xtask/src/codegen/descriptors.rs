//! The part of a descriptor set that one message needs: what the JSON mapping embeds, and where payloads are sought.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};

/// Keeps `root` and every type it can reach, and the imports these need; no services, no options, no comments.
pub(super) fn closure(all: &FileDescriptorSet, root: &str) -> Result<FileDescriptorSet> {
    let reached = reach(all, root)?;
    let mut files: Vec<_> = all.file.iter().filter_map(|file| trim(file, &reached)).collect();
    let kept: BTreeSet<String> = files.iter().map(|file| file.name().to_owned()).collect();
    for file in &mut files {
        file.dependency.retain(|import| kept.contains(import));
    }
    Ok(FileDescriptorSet { file: files })
}

/// The files of these names and all that they import, without comments and options.
pub(super) fn services(all: &FileDescriptorSet, names: &[&str]) -> FileDescriptorSet {
    let mut kept = BTreeSet::new();
    let mut pending: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    while let Some(name) = pending.pop() {
        if let Some(file) = all.file.iter().find(|file| file.name() == name)
            && kept.insert(name)
        {
            pending.extend(file.dependency.iter().cloned());
        }
    }
    let bare =
        |file: &FileDescriptorProto| FileDescriptorProto { source_code_info: None, options: None, ..file.clone() };
    FileDescriptorSet { file: all.file.iter().filter(|file| kept.contains(file.name())).map(bare).collect() }
}

/// The messages that `root` refers to directly or through others, and itself, by full name with the leading dot.
pub(super) fn messages<'a>(all: &'a FileDescriptorSet, root: &str) -> Result<BTreeMap<String, &'a DescriptorProto>> {
    let reached = reach(all, root)?;
    Ok(reached.into_iter().filter_map(|name| Some((name.clone(), find(all, &name)?))).collect())
}

/// Full names, with the leading dot, of what `root` refers to directly or through others.
fn reach(all: &FileDescriptorSet, root: &str) -> Result<BTreeSet<String>> {
    let mut reached = BTreeSet::new();
    let mut pending = vec![format!(".{root}")];
    while let Some(name) = pending.pop() {
        if reached.insert(name.clone()) && !is_enum(all, &name) {
            let message = find(all, &name).with_context(|| format!("no message {name}"))?;
            pending.extend(references(message));
        }
    }
    Ok(reached)
}

/// The types of a message's fields; an entry of a map is a nested message, which its field names.
fn references(message: &DescriptorProto) -> impl Iterator<Item = String> {
    message
        .field
        .iter()
        .filter(|field| matches!(field.r#type(), Type::Message | Type::Enum))
        .map(|field| field.type_name().to_owned())
}

fn trim(file: &FileDescriptorProto, reached: &BTreeSet<String>) -> Option<FileDescriptorProto> {
    let package = format!(".{}", file.package());
    let is_reached = |name: &str| reached.contains(&format!("{package}.{name}"));
    let trimmed = FileDescriptorProto {
        message_type: file.message_type.iter().filter_map(|message| trim_message(message, &package, reached)).collect(),
        enum_type: file.enum_type.iter().filter(|kind| is_reached(kind.name())).cloned().collect(),
        service: Vec::new(),
        source_code_info: None,
        options: None,
        ..file.clone()
    };
    (!trimmed.message_type.is_empty() || !trimmed.enum_type.is_empty()).then_some(trimmed)
}

/// A message stays while it or something nested in it is reached.
fn trim_message(message: &DescriptorProto, scope: &str, reached: &BTreeSet<String>) -> Option<DescriptorProto> {
    let name = format!("{scope}.{}", message.name());
    let nested_type: Vec<_> =
        message.nested_type.iter().filter_map(|nested| trim_message(nested, &name, reached)).collect();
    let enum_type: Vec<_> =
        message.enum_type.iter().filter(|kind| reached.contains(&format!("{name}.{}", kind.name()))).cloned().collect();
    if reached.contains(&name) {
        return Some(DescriptorProto { nested_type, enum_type, ..message.clone() });
    }
    // Its fields may name types that were dropped.
    (!nested_type.is_empty() || !enum_type.is_empty()).then(|| DescriptorProto {
        name: message.name.clone(),
        nested_type,
        enum_type,
        ..Default::default()
    })
}

fn find<'a>(all: &'a FileDescriptorSet, name: &str) -> Option<&'a DescriptorProto> {
    all.file.iter().find_map(|file| {
        let path = within(name, &format!(".{}", file.package()))?;
        descend(&file.message_type, path)
    })
}

fn descend<'a>(messages: &'a [DescriptorProto], path: &str) -> Option<&'a DescriptorProto> {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    let message = messages.iter().find(|message| message.name() == first)?;
    match rest {
        Some(rest) => descend(&message.nested_type, rest),
        None => Some(message),
    }
}

fn is_enum(all: &FileDescriptorSet, name: &str) -> bool {
    let (scope, simple) = name.rsplit_once('.').unwrap_or(("", name));
    all.file
        .iter()
        .filter(|file| format!(".{}", file.package()) == scope)
        .flat_map(|file| &file.enum_type)
        .chain(find(all, scope).into_iter().flat_map(|message| &message.enum_type))
        .any(|kind| kind.name() == simple)
}

fn within<'a>(name: &'a str, scope: &str) -> Option<&'a str> {
    name.strip_prefix(scope)?.strip_prefix('.')
}
