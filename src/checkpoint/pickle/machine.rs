use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::input::Input;
use super::{Dict, Storage, Value, Walked};
use crate::checkpoint::source::Fault;

/// The most values on the stack, and in the memo.
const MOST_VALUES: usize = 1 << 20;
/// The most entries of dictionaries that are kept, all together.
const MOST_ENTRIES: usize = 1 << 20;
/// The most storages.
const MOST_STORAGES: usize = 1 << 20;
/// The most entries that are kept of one dictionary: of a table of parameters
/// the first ones are enough.
const MOST_OF_ONE: usize = 4096;
/// The longest tuple that is kept.
const LONGEST_TUPLE: usize = 8;

/// The stack machine that a pickle is a program for, with its hands tied.
pub(super) struct Machine<'s> {
    input: Input<'s>,
    stack: Vec<Value>,
    memo: HashMap<u64, Value>,
    dicts: Vec<Dict>,
    entries: usize,
    storages: Vec<Storage>,
    keys: HashSet<String>,
    /// The texts that were appended to lists.
    list: Vec<Rc<str>>,
}

impl<'s> Machine<'s> {
    pub fn new(input: Input<'s>) -> Machine<'s> {
        Machine {
            input,
            stack: Vec::new(),
            memo: HashMap::new(),
            dicts: Vec::new(),
            entries: 0,
            storages: Vec::new(),
            keys: HashSet::new(),
            list: Vec::new(),
        }
    }

    pub fn run(mut self) -> Result<Walked, Fault> {
        loop {
            let at = self.input.at();
            let opcode = self.input.byte()?;
            if opcode == b'.' {
                let root = self.pop()?;
                return Ok(Walked {
                    end: self.input.at(),
                    root,
                    dicts: self.dicts,
                    storages: self.storages,
                    list: self.list,
                });
            }
            if !(self.pushes(opcode)? || self.groups(opcode)? || self.calls(opcode)?) {
                return Err(Fault::Unreadable(format!(
                    "its pickle has the unknown opcode 0x{opcode:02x} at byte {at}"
                )));
            }
        }
    }

    /// Opcodes that put one value on the stack.
    fn pushes(&mut self, opcode: u8) -> Result<bool, Fault> {
        let value = match opcode {
            b'(' => Value::Mark,
            b'N' | 0x88 | 0x89 => Value::Other,
            b'I' | b'L' => {
                let line = self.input.line()?;
                line.trim_end_matches('L').parse().map_or(Value::Other, Value::Int)
            }
            b'F' => self.input.line()?.parse().map_or(Value::Other, Value::Float),
            b'J' => Value::Int(i64::from(self.input.number(4)? as u32 as i32)),
            b'K' => self.int(1)?,
            b'M' => self.int(2)?,
            b'G' => Value::Float(self.input.float()?),
            0x8a => self.long(1)?,
            0x8b => self.long(4)?,
            b'S' | b'V' => {
                let line = self.input.line()?;
                let quotes: &[char] = if opcode == b'S' { &['\'', '"'] } else { &[] };
                text(line.trim_matches(quotes))
            }
            b'U' | 0x8c => self.text(1)?,
            b'T' | b'X' => self.text(4)?,
            0x8d => self.text(8)?,
            b'C' => self.bytes(1)?,
            b'B' => self.bytes(4)?,
            0x8e | 0x96 => self.bytes(8)?,
            b'}' => self.new_dict(),
            b']' | b')' | 0x8f | 0x97 => Value::Other,
            0x82 => self.after(1)?,
            0x83 => self.after(2)?,
            0x84 => self.after(4)?,
            b'c' => {
                let (module, name) = (self.input.line()?, self.input.line()?);
                class(&module, &name)
            }
            b'P' => {
                self.input.line()?;
                Value::Other
            }
            b'g' => {
                let line = self.input.line()?;
                self.recall(line.parse().ok())?
            }
            b'h' => {
                let at = self.input.number(1)?;
                self.recall(Some(at))?
            }
            b'j' => {
                let at = self.input.number(4)?;
                self.recall(Some(at))?
            }
            _ => return Ok(false),
        };
        self.push(value)?;
        Ok(true)
    }

    /// Opcodes that take values together, or only move them.
    fn groups(&mut self, opcode: u8) -> Result<bool, Fault> {
        match opcode {
            0x80 => self.input.skip(1)?,
            0x95 => self.input.skip(8)?,
            b'0' => drop(self.pop()?),
            b'1' => drop(self.take_to_mark()?),
            b'2' => {
                let top = self.top()?.clone();
                self.push(top)?;
            }
            b'p' => {
                let line = self.input.line()?;
                self.keep(line.parse().ok())?;
            }
            b'q' => {
                let at = self.input.number(1)?;
                self.keep(Some(at))?;
            }
            b'r' => {
                let at = self.input.number(4)?;
                self.keep(Some(at))?;
            }
            0x94 => self.keep(Some(self.memo.len() as u64))?,
            b't' => {
                let values = self.take_to_mark()?;
                self.push(tuple(values))?;
            }
            0x85..=0x87 => {
                let values = self.take(usize::from(opcode - 0x84))?;
                self.push(tuple(values))?;
            }
            b'l' | 0x91 => {
                self.take_to_mark()?;
                self.push(Value::Other)?;
            }
            b'd' => {
                let values = self.take_to_mark()?;
                let dict = self.new_dict();
                self.set(&dict, values);
                self.push(dict)?;
            }
            b'a' => {
                let value = self.pop()?;
                self.append(vec![value]);
            }
            b'e' | 0x90 => {
                let values = self.take_to_mark()?;
                self.append(values);
                self.top()?;
            }
            b's' => {
                let values = self.take(2)?;
                self.set_in_top(values)?;
            }
            b'u' => {
                let values = self.take_to_mark()?;
                self.set_in_top(values)?;
            }
            0x98 => drop(self.top()?.clone()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Opcodes that would import or call something; here they call nothing.
    fn calls(&mut self, opcode: u8) -> Result<bool, Fault> {
        match opcode {
            // REDUCE and NEWOBJ: a callable and its arguments.
            b'R' | 0x81 => {
                let taken = self.take(2)?;
                self.made_of(taken.first())?;
            }
            0x92 => {
                let taken = self.take(3)?;
                self.made_of(taken.first())?;
            }
            // BUILD: an object and its state.
            b'b' => drop(self.pop()?),
            b'i' => {
                self.input.line()?;
                self.input.line()?;
                self.take_to_mark()?;
                self.push(Value::Other)?;
            }
            b'o' => {
                self.take_to_mark()?;
                self.push(Value::Other)?;
            }
            0x93 => {
                let taken = self.take(2)?;
                let value = match taken.as_slice() {
                    [Value::Text(module), Value::Text(name)] => class(module, name),
                    _ => Value::Other,
                };
                self.push(value)?;
            }
            b'Q' => {
                let id = self.pop()?;
                self.name_storage(&id)?;
                self.push(Value::Other)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What a call gives: a dictionary where that is its name, else nothing of use.
    fn made_of(&mut self, callable: Option<&Value>) -> Result<(), Fault> {
        let value = match callable {
            Some(Value::Class(name))
                if matches!(&**name, "collections.OrderedDict" | "collections.defaultdict") =>
            {
                self.new_dict()
            }
            _ => Value::Other,
        };
        self.push(value)
    }

    /// A persistent id of torch: `('storage', type, key, location, elements, ..)`.
    fn name_storage(&mut self, id: &Value) -> Result<(), Fault> {
        let Value::Tuple(parts) = id else { return Ok(()) };
        let [Value::Text(word), class, Value::Text(key), _, Value::Int(elements), ..] = &**parts else {
            return Ok(());
        };
        if &**word != "storage" || self.keys.contains(&**key) {
            return Ok(());
        }
        if self.storages.len() >= MOST_STORAGES {
            return Err(over("storages"));
        }
        let elements = u64::try_from(*elements)
            .map_err(|_| Fault::Damaged("its pickle names a storage of negative size".to_owned()))?;
        let width = match class {
            Value::Class(name) => width(name),
            _ => None,
        };
        self.keys.insert(key.to_string());
        self.storages.push(Storage { key: key.to_string(), elements, width });
        Ok(())
    }

    fn int(&mut self, length: usize) -> Result<Value, Fault> {
        Ok(Value::Int(self.input.number(length)? as i64))
    }

    /// A number of any length, which fits only if it has up to eight bytes.
    fn long(&mut self, length: usize) -> Result<Value, Fault> {
        let bytes = self.input.number(length)?;
        if bytes > 8 {
            self.input.skip(bytes)?;
            return Ok(Value::Other);
        }
        let number = self.input.number(bytes as usize)?;
        let unused = 64 - 8 * bytes as u32;
        // The highest bit that is there is the sign.
        Ok(Value::Int(if unused == 64 { 0 } else { (number << unused) as i64 >> unused }))
    }

    fn text(&mut self, length: usize) -> Result<Value, Fault> {
        let bytes = self.input.number(length)?;
        Ok(self.input.text(bytes)?.map_or(Value::Other, |kept| Value::Text(kept.into())))
    }

    fn bytes(&mut self, length: usize) -> Result<Value, Fault> {
        let bytes = self.input.number(length)?;
        self.input.skip(bytes)?;
        Ok(Value::Other)
    }

    fn after(&mut self, length: u64) -> Result<Value, Fault> {
        self.input.skip(length)?;
        Ok(Value::Other)
    }

    fn new_dict(&mut self) -> Value {
        if self.entries >= MOST_ENTRIES {
            return Value::Other;
        }
        self.entries += 1;
        self.dicts.push(Vec::new());
        Value::Dict(self.dicts.len() - 1)
    }

    fn set_in_top(&mut self, values: Vec<Value>) -> Result<(), Fault> {
        let target = self.top()?.clone();
        self.set(&target, values);
        Ok(())
    }

    fn set(&mut self, target: &Value, values: Vec<Value>) {
        let Value::Dict(at) = target else { return };
        let Some(dict) = self.dicts.get_mut(*at) else { return };
        let mut values = values.into_iter();
        while let (Some(key), Some(value)) = (values.next(), values.next()) {
            if let Some(key) = plain_text(key)
                && self.entries < MOST_ENTRIES
                && dict.len() < MOST_OF_ONE
            {
                self.entries += 1;
                dict.push((key, value));
            }
        }
    }

    fn append(&mut self, values: Vec<Value>) {
        let room = MOST_ENTRIES.saturating_sub(self.entries);
        let before = self.list.len();
        self.list.extend(values.into_iter().filter_map(plain_text).take(room));
        self.entries += self.list.len() - before;
    }

    fn keep(&mut self, at: Option<u64>) -> Result<(), Fault> {
        let at = at.ok_or_else(|| Fault::Unreadable("its pickle has a memo without a number".to_owned()))?;
        if self.memo.len() >= MOST_VALUES {
            return Err(over("memo entries"));
        }
        let top = self.top()?.clone();
        self.memo.insert(at, top);
        Ok(())
    }

    fn recall(&mut self, at: Option<u64>) -> Result<Value, Fault> {
        at.and_then(|at| self.memo.get(&at).cloned())
            .ok_or_else(|| Fault::Unreadable("its pickle recalls what was never kept".to_owned()))
    }

    fn push(&mut self, value: Value) -> Result<(), Fault> {
        if self.stack.len() >= MOST_VALUES {
            return Err(over("values on its stack"));
        }
        self.stack.push(value);
        Ok(())
    }

    fn top(&self) -> Result<&Value, Fault> {
        self.stack.last().ok_or_else(underflow)
    }

    fn pop(&mut self) -> Result<Value, Fault> {
        self.stack.pop().ok_or_else(underflow)
    }

    fn take(&mut self, count: usize) -> Result<Vec<Value>, Fault> {
        let from = self.stack.len().checked_sub(count).ok_or_else(underflow)?;
        Ok(self.stack.split_off(from))
    }

    /// The values above the nearest mark, which goes too.
    fn take_to_mark(&mut self) -> Result<Vec<Value>, Fault> {
        let mark = self.stack.iter().rposition(|value| *value == Value::Mark).ok_or_else(underflow)?;
        let values = self.stack.split_off(mark + 1);
        self.stack.truncate(mark);
        Ok(values)
    }
}

fn text(line: &str) -> Value {
    if line.len() > 256 { Value::Other } else { Value::Text(line.into()) }
}

fn class(module: &str, name: &str) -> Value {
    if module.len() + name.len() > 256 {
        Value::Other
    } else {
        Value::Class(format!("{module}.{name}").into())
    }
}

fn plain_text(value: Value) -> Option<Rc<str>> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Short and flat: what is nested could be nested without end.
fn tuple(values: Vec<Value>) -> Value {
    if values.len() > LONGEST_TUPLE {
        return Value::Other;
    }
    let flat = |value| if matches!(value, Value::Tuple(_)) { Value::Other } else { value };
    Value::Tuple(values.into_iter().map(flat).collect())
}

/// Bytes per element of a storage class, `torch.FloatStorage`. The counts of an
/// untyped one are bytes.
fn width(class: &str) -> Option<u64> {
    let name = class.rsplit('.').next()?.strip_suffix("Storage")?;
    Some(match name {
        "Untyped" | "Byte" | "Char" | "Bool" | "QInt8" | "QUInt8" | "QUInt4x2" | "QUInt2x4" => 1,
        "Half" | "BFloat16" | "Short" => 2,
        "Float" | "Int" | "QInt32" => 4,
        "Double" | "Long" | "ComplexFloat" => 8,
        "ComplexDouble" => 16,
        _ => return None,
    })
}

fn underflow() -> Fault {
    Fault::Unreadable("its pickle takes more from its stack than is there".to_owned())
}

fn over(what: &str) -> Fault {
    Fault::Unreadable(format!("its pickle has too many {what}"))
}
