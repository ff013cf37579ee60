//! CRC-32C (Castagnoli), which TensorBoard's records have: a table of 256 words and
//! a line of code. The CRC-32 of zip archives and W&B is the crate's.

/// Reflected polynomial 0x82F63B78.
static CASTAGNOLI: [u32; 256] = table(0x82f6_3b78);

/// The masked CRC-32C of TensorFlow's records: rotated and shifted, so that a
/// checksum over data that holds checksums stays a good one.
pub(super) fn masked_crc32c(data: &[u8]) -> u32 {
    (!run(!0, data)).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn run(start: u32, data: &[u8]) -> u32 {
    data.iter().fold(start, |crc, byte| CASTAGNOLI[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
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
        assert_eq!(!run(!0, b"123456789"), 0xe306_9283);
        assert_eq!(masked_crc32c(b""), 0xa282_ead8);
    }
}
