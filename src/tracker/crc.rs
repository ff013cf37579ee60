//! The checksum of record files: a table of 256 words and a line of code, which is
//! all that a crate would save.

/// CRC-32 as zlib and PNG have it, reflected polynomial 0xEDB88320: W&B.
static ZLIB: [u32; 256] = table(0xedb8_8320);

/// The CRC-32 of one byte followed by data.
pub(super) fn crc32(first: u8, data: &[u8]) -> u32 {
    !run(&ZLIB, run(&ZLIB, !0, &[first]), data)
}

fn run(table: &[u32; 256], start: u32, data: &[u8]) -> u32 {
    data.iter().fold(start, |crc, byte| table[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

const fn table(polynomial: u32) -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ polynomial } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_polynomial_comes_out() {
        // The check input of the catalogue of CRC algorithms.
        assert_eq!(crc32(b'1', b"23456789"), 0xcbf4_3926);
    }
}
