//! The wire format of protocol buffers, walked without a schema: field number and value,
//! one after the other. What is not understood ends the walk; nothing panics.

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    /// Wire type 0: whole numbers and booleans.
    Number(u64),
    /// Wire type 1: eight bytes, here nearly always a double.
    Eight(u64),
    /// Wire type 2: text, bytes, or a message.
    Bytes(&'a [u8]),
    /// Wire type 5: four bytes, a float.
    Four(u32),
}

impl<'a> Value<'a> {
    /// The bytes of text or of a message; none for a number.
    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Value::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    /// A whole number, negative ones included, which take all ten bytes.
    pub(super) fn whole(self) -> Option<i64> {
        match self {
            Value::Number(number) => Some(number as i64),
            _ => None,
        }
    }

    /// Text that is not empty; proto3 does not write empty text, and none means the same.
    pub(super) fn text(self) -> Option<String> {
        let bytes = self.bytes();
        (!bytes.is_empty()).then(|| crate::safety::clip(&String::from_utf8_lossy(bytes), 4_000))
    }
}

/// The fields of a message, in the order in which they were written.
pub(super) fn fields(message: &[u8]) -> Fields<'_> {
    Fields(message)
}

/// The last value of a field, which is the one that counts.
pub(super) fn field(message: &[u8], number: u64) -> Option<Value<'_>> {
    fields(message).filter(|(found, _)| *found == number).map(|(_, value)| value).last()
}

/// See [`fields`].
#[derive(Debug, Clone)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let found = take(&mut self.0);
        if found.is_none() {
            self.0 = &[];
        }
        found
    }
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let tag = varint(rest)?;
    let value = match tag & 7 {
        0 => Value::Number(varint(rest)?),
        1 => Value::Eight(u64::from_le_bytes(*array(rest)?)),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            let (bytes, after) = rest.split_at_checked(length)?;
            *rest = after;
            Value::Bytes(bytes)
        }
        5 => Value::Four(u32::from_le_bytes(*array(rest)?)),
        // Groups are of proto2 and nobody's here.
        _ => return None,
    };
    (tag >> 3 != 0).then_some((tag >> 3, value))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn array<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_format_s_own_page_is_read() {
        // Field 1 = 150, field 2 = "testing", field 3 = { field 1 = 150 }.
        let message = b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01";
        let read: Vec<_> = fields(message).collect();
        assert_eq!(
            read,
            [(1, Value::Number(150)), (2, Value::Bytes(b"testing")), (3, Value::Bytes(b"\x08\x96\x01"))]
        );
        assert_eq!(field(read[2].1.bytes(), 1), Some(Value::Number(150)));
        assert_eq!(Value::Number(u64::MAX).whole(), Some(-1));
    }

    #[test]
    fn what_is_cut_ends_the_walk() {
        assert_eq!(fields(b"\x08\x96\x01\x12\x07test").count(), 1);
        assert_eq!(fields(b"\x0b\x08\x01").count(), 0, "a group");
        assert_eq!(fields(&[0xff; 12]).count(), 0, "a number without an end");
        assert_eq!(fields(b"\x00\x01").count(), 0, "there is no field 0");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_walk_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for (_, value) in fields(&bytes) {
                let _ = (value.text(), value.whole(), fields(value.bytes()).count());
            }
        }
    }
}
