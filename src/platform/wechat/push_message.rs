//! The body of a message push, JSON or XML as the console was told, read into one form (spec 1.8). Pure.
//!
//! XML is read without document types, entities, attributes and processing instructions, and only so deep: nothing in it
//! can make the reader fetch, expand or recurse.

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesRef, BytesStart, Event},
};
use serde_json::{Map, Value, map::Entry};

/// Deepest nesting of elements; WeChat's own messages have four.
const DEEPEST: usize = 8;
/// Most elements in one message.
const MOST_ELEMENTS: usize = 2_000;
/// XML wraps the list of a subscription event in one of these; JSON does not.
const WRAPPERS: [&str; 3] = [
    "SubscribeMsgPopupEvent",
    "SubscribeMsgChangeEvent",
    "SubscribeMsgSentEvent",
];
/// Lists that come as a single object when they hold one item.
const LISTS: [&str; 2] = ["List", "detail"];

/// Reads a body into an object; `None` for anything else. Numbers may be texts, in XML they all are.
pub(super) fn parse(body: &[u8]) -> Option<Value> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let message = match body.trim_ascii_start().first()? {
        b'{' => serde_json::from_slice(body).ok()?,
        b'<' => xml(std::str::from_utf8(body).ok()?)?,
        _ => return None,
    };
    match message {
        Value::Object(message) => Some(Value::Object(uniform(message))),
        _ => None,
    }
}

/// The same shape for both forms: lists are arrays and stand at the top.
fn uniform(mut message: Map<String, Value>) -> Map<String, Value> {
    for wrapper in WRAPPERS {
        if let Some(Value::Object(inner)) = message.get_mut(wrapper)
            && let Some(list) = inner.remove("List")
        {
            message.remove(wrapper);
            message.insert("List".into(), list);
        }
    }
    for name in LISTS {
        if let Some(single @ Value::Object(_)) = message.get_mut(name) {
            let only = single.take();
            *single = Value::Array(vec![only]);
        }
    }
    message
}

/// An element that has begun.
struct Open {
    name: String,
    text: String,
    children: Map<String, Value>,
}

impl Open {
    fn of(start: &BytesStart<'_>) -> Option<Self> {
        let plain = start.attributes_raw().trim_ascii().is_empty();
        let name = std::str::from_utf8(start.name().as_ref()).ok()?.to_owned();
        plain.then(|| Self {
            name,
            text: String::new(),
            children: Map::new(),
        })
    }

    /// A text, or an object; text between elements is no message of WeChat's.
    fn close(self) -> Option<(String, Value)> {
        if self.children.is_empty() {
            return Some((self.name, Value::String(self.text)));
        }
        let blank = self.text.trim_ascii().is_empty();
        blank.then_some((self.name, Value::Object(self.children)))
    }

    fn add(&mut self, name: String, value: Value) {
        match self.children.entry(name) {
            Entry::Vacant(slot) => {
                slot.insert(value);
            }
            Entry::Occupied(mut slot) => match slot.get_mut() {
                Value::Array(items) => items.push(value),
                first => {
                    let first_item = first.take();
                    *first = Value::Array(vec![first_item, value]);
                }
            },
        }
    }
}

fn xml(text: &str) -> Option<Value> {
    let mut reader = Reader::from_str(text);
    let (mut open, mut whole): (Vec<Open>, Option<(String, Value)>) = (Vec::new(), None);
    let mut elements = 0_usize;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                elements = elements.saturating_add(1);
                if whole.is_some() || open.len() >= DEEPEST || elements > MOST_ELEMENTS {
                    return None;
                }
                open.push(Open::of(&start)?);
            }
            Event::Empty(start) => {
                elements = elements.saturating_add(1);
                if elements > MOST_ELEMENTS {
                    return None;
                }
                let (name, value) = Open::of(&start)?.close()?;
                open.last_mut()?.add(name, value);
            }
            Event::End(_) => {
                let (name, value) = open.pop()?.close()?;
                match open.last_mut() {
                    Some(parent) => parent.add(name, value),
                    None => whole = Some((name, value)),
                }
            }
            Event::Text(piece) => said(&mut open, &piece.decode().ok()?)?,
            Event::CData(piece) => said(&mut open, &piece.decode().ok()?)?,
            Event::GeneralRef(reference) => said(&mut open, &resolved(&reference)?)?,
            Event::Decl(_) | Event::Comment(_) => {}
            Event::DocType(_) | Event::PI(_) => return None,
            Event::Eof => break,
        }
    }
    let (name, message) = whole.filter(|_| open.is_empty())?;
    (name == "xml").then_some(message)
}

/// Text belongs to the element that is open; outside there may be only space.
fn said(open: &mut [Open], piece: &str) -> Option<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(piece),
        None if piece.trim_ascii().is_empty() => {}
        None => return None,
    }
    Some(())
}

/// One of XML's own five names, or a character by its number; every other entity would need a document type.
fn resolved(reference: &BytesRef<'_>) -> Option<String> {
    if let Some(letter) = reference.resolve_char_ref().ok()? {
        return Some(letter.to_string());
    }
    resolve_predefined_entity(&reference.decode().ok()?).map(str::to_owned)
}
