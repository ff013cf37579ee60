//! Walks the opcodes of a pickle without ever running it.
//!
//! A pickle is a program; loading one runs whatever it says. This machine moves
//! plain values about a stack of its own, imports nothing, calls nothing, and
//! keeps just what the checks need: the storages that are named, and the plain
//! values in dictionaries. Source of the opcodes: Python's `pickletools`.

mod input;
mod machine;

use std::rc::Rc;

use super::source::{Fault, Source};

/// The longest pickle that is walked, in bytes.
pub(super) const LONGEST: u64 = 64 << 20;

/// A value on the stack, as far as it is of use.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Where a group of values begins.
    Mark,
    /// An integer that fits.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text of up to 256 bytes.
    Text(Rc<str>),
    /// A class or function by its dotted name. It is never imported.
    Class(Rc<str>),
    /// A tuple; tuples within it are not kept.
    Tuple(Rc<[Value]>),
    /// A dictionary, as a place in [`Walked::dicts`].
    Dict(usize),
    /// Anything else.
    Other,
}

/// A dictionary's plain entries, those that have text for a key.
pub(super) type Dict = Vec<(Rc<str>, Value)>;

/// What a persistent id of torch names: where a tensor's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    /// The member's name, or the key in a legacy file.
    pub key: String,
    /// How many elements it has.
    pub elements: u64,
    /// Bytes per element; `None` for a type that is not known here.
    pub width: Option<u64>,
}

/// What a walk found.
#[derive(Debug)]
pub(super) struct Walked {
    /// The offset of the first byte after the pickle.
    pub end: u64,
    /// What the pickle stands for.
    pub root: Value,
    /// All dictionaries, in the order of their making.
    pub dicts: Vec<Dict>,
    /// The storages that are named, each key once.
    pub storages: Vec<Storage>,
    /// The texts that were appended to lists: the keys of a legacy file.
    pub list: Vec<Rc<str>>,
}

impl Walked {
    /// The root's entries, if it is a dictionary.
    pub fn root_dict(&self) -> Option<&Dict> {
        match self.root {
            Value::Dict(at) => self.dicts.get(at),
            _ => None,
        }
    }
}

/// Walks the pickle that begins at an offset.
///
/// # Errors
/// It ends early, holds an opcode that no Python writes, or goes over a limit.
pub(super) fn walk(source: &dyn Source, offset: u64) -> Result<Walked, Fault> {
    machine::Machine::new(input::Input::new(source, offset)).run()
}

/// Looks a key up.
pub(super) fn get<'d>(dict: &'d Dict, key: &str) -> Option<&'d Value> {
    dict.iter().rev().find(|(name, _)| &**name == key).map(|(_, value)| value)
}

/// Looks up a number that is not negative.
pub(super) fn number(dict: &Dict, key: &str) -> Option<u64> {
    match get(dict, key)? {
        Value::Int(number) => u64::try_from(*number).ok(),
        // Some programs count in floating point.
        Value::Float(number) if *number >= 0.0 && *number < 9e15 && number.fract() == 0.0 => {
            Some(*number as u64)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
