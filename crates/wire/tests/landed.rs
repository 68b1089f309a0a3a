//! What was said on the wire once is said so for good. `proto/landed.txt` is the descriptor set of the last change that landed, a line an
//! element; today's protos have every line of it: no number, type or name changed or went, as buf's `WIRE_JSON` would have it, and
//! stricter, since nothing is ever removed. What is new is added by `UPDATE_GOLDEN=1`, which refuses whatever takes a line away.

use std::collections::BTreeSet;
use std::path::Path;

use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// Everything that matters on the wire and in JSON.
fn lines(set: &FileDescriptorSet) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for file in set.file.iter().filter(|file| file.package().starts_with("gallra.")) {
        let package = file.package();
        for message in &file.message_type {
            of_message(&mut all, package, message);
        }
        for one in &file.enum_type {
            of_enum(&mut all, package, one);
        }
        for service in &file.service {
            for method in &service.method {
                let stream = |streams| if streams { "stream " } else { "" };
                all.insert(format!(
                    "rpc {package}.{}/{} {}{} -> {}{}",
                    service.name(),
                    method.name(),
                    stream(method.client_streaming()),
                    method.input_type(),
                    stream(method.server_streaming()),
                    method.output_type()
                ));
            }
        }
    }
    all
}

fn of_message(all: &mut BTreeSet<String>, within: &str, message: &DescriptorProto) {
    let name = format!("{within}.{}", message.name());
    all.insert(format!("message {name}"));
    for field in &message.field {
        let oneof = field.oneof_index.and_then(|at| message.oneof_decl.get(usize::try_from(at).ok()?));
        let oneof = oneof.map(|oneof| format!(" oneof {}", oneof.name())).unwrap_or_default();
        all.insert(format!("field {name} {} {} {}{oneof}", field.number(), field.name(), of_type(field)));
    }
    for nested in &message.nested_type {
        of_message(all, &name, nested);
    }
    for nested in &message.enum_type {
        of_enum(all, &name, nested);
    }
}

fn of_type(field: &FieldDescriptorProto) -> String {
    let named = if field.type_name().is_empty() { String::new() } else { format!(" {}", field.type_name()) };
    format!("{} {}{named} json {}", field.label().as_str_name(), field.r#type().as_str_name(), field.json_name())
}

fn of_enum(all: &mut BTreeSet<String>, within: &str, one: &EnumDescriptorProto) {
    let name = format!("{within}.{}", one.name());
    for value in &one.value {
        all.insert(format!("value {name} {} {}", value.number(), value.name()));
    }
}

/// What is missing today, and what is new.
fn compared(landed: &BTreeSet<String>, today: &BTreeSet<String>) -> (Vec<String>, Vec<String>) {
    (landed.difference(today).cloned().collect(), today.difference(landed).cloned().collect())
}

fn today() -> FileDescriptorSet {
    FileDescriptorSet::decode(gallra_wire::DESCRIPTORS).expect("what the build wrote")
}

#[test]
fn nothing_that_was_said_on_the_wire_is_said_otherwise_today() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/landed.txt");
    let landed: BTreeSet<String> =
        std::fs::read_to_string(&path).expect("proto/landed.txt").lines().map(str::to_owned).collect();
    let now = lines(&today());
    let (gone, new) = compared(&landed, &now);
    assert!(
        gone.is_empty(),
        "taken away or changed: give what is new a number and a name of its own, and leave what there was: {gone:#?}"
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, now.into_iter().map(|line| line + "\n").collect::<String>()).expect("written");
    } else {
        assert!(new.is_empty(), "new, and not in proto/landed.txt yet: UPDATE_GOLDEN=1 adds it: {new:#?}");
    }
}

/// Changes one thing in the descriptors of today.
fn otherwise(change: impl FnOnce(&mut FileDescriptorSet)) -> Vec<String> {
    let mut set = today();
    change(&mut set);
    compared(&lines(&today()), &lines(&set)).0
}

fn hello(set: &mut FileDescriptorSet) -> &mut DescriptorProto {
    let mut messages = set.file.iter_mut().flat_map(|file| &mut file.message_type);
    messages.find(|message| message.name() == "Hello").expect("it is there")
}

#[test]
fn each_way_to_break_a_peer_is_seen() {
    let gone = [
        ("a field's number", otherwise(|set| hello(set).field[2].number = Some(9))),
        ("a field's name", otherwise(|set| hello(set).field[2].name = Some("allowance".to_owned()))),
        ("a field's type", otherwise(|set| hello(set).field[2].r#type = Some(4))),
        ("a field's label", otherwise(|set| hello(set).field[2].label = Some(3))),
        ("a field", otherwise(|set| drop(hello(set).field.pop()))),
        ("a message", otherwise(|set| hello(set).name = Some("Greeting".to_owned()))),
        (
            "an enum's value",
            otherwise(|set| drop(set.file.iter_mut().find_map(|file| file.enum_type.first_mut()?.value.pop()))),
        ),
        ("an rpc", otherwise(|set| drop(set.file.iter_mut().find_map(|file| file.service.first_mut()?.method.pop())))),
        (
            "how an rpc streams",
            otherwise(|set| {
                let mut methods =
                    set.file.iter_mut().flat_map(|file| &mut file.service).flat_map(|one| &mut one.method);
                methods.find(|method| method.client_streaming()).expect("the agent's").client_streaming = None;
            }),
        ),
    ];
    for (what, gone) in gone {
        assert!(!gone.is_empty(), "{what}");
    }
    assert!(
        otherwise(|set| hello(set).field.extend(hello(&mut today()).field.first().cloned().map(|mut field| {
            (field.number, field.name) = (Some(99), Some("later".to_owned()));
            field
        })))
        .is_empty(),
        "what is added breaks nobody"
    );
}
