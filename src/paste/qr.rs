//! A line as a QR code of half-block characters, for the camera of a phone.

use qrcode::{Color, EcLevel, QrCode};

/// So many modules around a code are free, as the standard asks.
const QUIET: usize = 4;

/// A code drawn in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Its rows, each of two rows of modules.
    pub rows: Vec<String>,
    /// How many columns each takes.
    pub columns: usize,
}

/// Draws a text. The light modules are drawn as blocks, which a terminal with light letters on a dark ground shows
/// right without any colour; `inverted` draws the dark ones, for dark letters on a light ground.
///
/// `None` if the text is too long for any code.
pub fn qr(text: &str, inverted: bool) -> Option<Drawn> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let size = code.width();
    let columns = size + 2 * QUIET;
    let is_light = |x: usize, y: usize| {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < size);
        match (inside(x), inside(y)) {
            (Some(x), Some(y)) => code[(x, y)] == Color::Light,
            _ => true,
        }
    };
    let row = |top: usize| {
        let cell = |x: usize| {
            // Below the last row there is nothing to draw, and the quiet zone goes on.
            let (upper, lower) = (is_light(x, top) != inverted, is_light(x, top + 1) != inverted);
            match (upper, lower) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            }
        };
        (0..columns).map(cell).collect()
    };
    Some(Drawn { rows: (0..columns).step_by(2).map(row).collect(), columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a decoder of another hand reads.
    fn decoded(drawn: &Drawn, inverted: bool) -> String {
        let is_light = |x: usize, y: usize| {
            let cell = drawn.rows[y / 2].chars().nth(x).unwrap();
            let block = if y % 2 == 0 { "█▀" } else { "█▄" }.contains(cell);
            block != inverted
        };
        // Eight dots a module, as a camera sees it.
        let side = drawn.columns * 8;
        let height = drawn.rows.len() * 2 * 8;
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, height, |x, y| {
            if is_light(x / 8, y / 8) { 255 } else { 0 }
        });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    #[test]
    fn another_decoder_reads_the_line_on_dark_and_on_light() {
        let lines = [
            "cd ~/project && git -c pull.ff=only pull && sbatch train.sh".to_owned(),
            r"cd ~/my\ project && sbatch -\-array=3,7 it$(printf \\047)s.sh".to_owned(),
            "x".repeat(500),
        ];
        for line in lines {
            for inverted in [false, true] {
                let drawn = qr(&line, inverted).unwrap();
                assert!(drawn.rows.iter().all(|row| row.chars().count() == drawn.columns));
                assert_eq!(decoded(&drawn, inverted), line);
            }
        }
        assert_eq!(qr(&"x".repeat(5000), false), None);
    }
}
